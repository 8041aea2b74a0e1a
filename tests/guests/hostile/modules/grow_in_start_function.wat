;; Grows its memory before anybody calls it.
(module
  (memory (export "memory") 1)
  (;realloc;) (;start;) (;resume;) (;cancel;)

  (func $grow (loop $again (drop (memory.grow (i32.const 16))) (br $again)))
  (start $grow)
)
