;; Claims to be an adapter and a transformer at once.
(component
  (instance $contract)
  (export "consort:agent-adapter/adapter@0.1.0" (instance $contract))
  (export "consort:result-transformer/transformer@0.1.0" (instance $contract))
)
