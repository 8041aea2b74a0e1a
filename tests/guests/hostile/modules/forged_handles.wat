;; Polls 4,096 handles nobody gave it.
(module
  (import "wasi:io/poll@0.2.12" "poll" (func $poll (param i32 i32 i32)))
  (memory (export "memory") 1)
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (call $poll (i32.const 16384) (i32.const 4096) (i32.const 8))
    unreachable)
)
