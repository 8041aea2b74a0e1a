;; A second memory with 64-bit addresses, which asks for 2^47 bytes at once.
(module
  (memory (export "memory") 1)
  (memory $wide i64 1)
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (drop (memory.grow $wide (i64.const 0x80000000)))
    unreachable)
)
