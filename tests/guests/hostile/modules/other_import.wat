;; Imports a function of the host's with other types.
(component
  (import "consort:host/config@0.1.0" (instance (export "get" (func (param "key" string) (result u64)))))
  (instance $contract)
  (export "consort:agent-adapter/adapter@0.1.0" (instance $contract))
)
