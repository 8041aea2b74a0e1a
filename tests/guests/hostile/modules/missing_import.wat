;; Imports what no host should have.
(component
  (import "evil:host/backdoor@1.0.0" (instance (export "open" (func))))
  (instance $contract)
  (export "consort:agent-adapter/adapter@0.1.0" (instance $contract))
)
