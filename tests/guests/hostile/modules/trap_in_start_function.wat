;; Fails in its instantiation.
(module
  (memory (export "memory") 1)
  (;realloc;) (;start;) (;resume;) (;cancel;)

  (func $trap unreachable)
  (start $trap)
)
