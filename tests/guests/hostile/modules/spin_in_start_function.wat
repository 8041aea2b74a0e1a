;; Never finishes its instantiation.
(module
  (memory (export "memory") 1)
  (;realloc;) (;start;) (;resume;) (;cancel;)

  (func $spin (loop $again (br $again)))
  (start $spin)
)
