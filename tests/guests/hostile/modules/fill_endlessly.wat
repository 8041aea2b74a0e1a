;; Fills 32 MiB again and again: much work for little fuel.
(module
  (memory (export "memory") 513)
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (loop $again
      (memory.fill (i32.const 65536) (i32.const 7) (i32.const 33554432))
      (br $again))
    unreachable)
)
