# One node on raft storage, for one machine; without TLS.
storage "raft" {
  path    = "/openbao/data"
  node_id = "dev"
}
listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = true
}
api_addr     = "http://openbao:8200"
cluster_addr = "http://127.0.0.1:8201"
ui           = false
