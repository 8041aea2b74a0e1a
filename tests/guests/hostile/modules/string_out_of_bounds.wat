;; Returns a text of 4 GiB - 1 in a memory of 64 KiB.
(module
  (memory (export "memory") 1)
  ;; ok, done, text, no usage, no tasks
  (data (i32.const 2064) "\01\00\00\00\00\00\00\00\ff\ff\ff\ff")
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (i32.const 2048))
)
