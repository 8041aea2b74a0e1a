;; Drops a pollable it never had.
(module
  (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop (param i32)))
  (memory (export "memory") 1)
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (call $drop (i32.const 7))
    unreachable)
)
