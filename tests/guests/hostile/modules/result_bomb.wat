;; Returns 4,096 tasks to spawn, all of them the same 1 MiB of its memory.
(module
  (memory (export "memory") 34)
  (;realloc;) (;resume;) (;cancel;)
  (func (export "consort:agent-adapter/adapter@0.1.0#start") (param i32) (result i32)
    (local $i i32)
    ;; ok, done, text: all zero but the case of the text
    (i32.store8 (i32.const 2064) (i32.const 1))
    (loop $again
      (i32.store (i32.add (i32.const 4096) (i32.mul (local.get $i) (i32.const 8))) (i32.const 65536))
      (i32.store (i32.add (i32.const 4100) (i32.mul (local.get $i) (i32.const 8))) (i32.const 1048576))
      (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4096))))
    (i32.store (i32.const 2160) (i32.const 4096))
    (i32.store (i32.const 2164) (i32.const 4096))
    (i32.const 2048))
)
