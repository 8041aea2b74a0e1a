;; Returns neither success nor failure, but case 9.
(module
  (memory (export "memory") 1)
  (data (i32.const 2048) "\09")
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (i32.const 2048))
)
