;; Logs nearly 32 MiB of its memory, again and again.
(module
  (import "consort:host/logging@0.1.0" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 512)
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (loop $again
      (call $log (i32.const 2) (i32.const 65536) (i32.const 33488896))
      (br $again))
    unreachable)
)
