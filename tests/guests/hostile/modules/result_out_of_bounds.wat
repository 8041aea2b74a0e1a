;; Says its result is where it has no memory.
(module
  (memory (export "memory") 1)
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (i32.const -16))
)
