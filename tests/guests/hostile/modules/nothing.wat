;; Exports nothing.
(component

)
