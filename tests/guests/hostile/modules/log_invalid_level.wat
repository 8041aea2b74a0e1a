;; Logs at a level that does not exist.
(module
  (import "consort:host/logging@0.1.0" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (call $log (i32.const 77) (i32.const 0) (i32.const 1))
    unreachable)
)
