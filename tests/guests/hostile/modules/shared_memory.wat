;; Waits on an atomic, which would hold a thread of the host.
(module
  (memory (export "memory") 1)
  (memory $shared 1 1 shared)
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (drop (memory.atomic.wait32 $shared (i32.const 0) (i32.const 0) (i64.const -1)))
    unreachable)
)
