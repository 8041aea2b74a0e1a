;; Returns, and never finishes cleaning up.
(module
  (memory (export "memory") 1)
  ;; ok, done, text of two bytes
  (data (i32.const 2064) "\01\00\00\00\00\04\00\00\02\00\00\00")
  (data (i32.const 1024) "ok")
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (i32.const 2048))
  (func (export "cabi_post_consort:agent-adapter/adapter@0.1.0#start") (param i32)
    (loop $again (br $again)))
)
