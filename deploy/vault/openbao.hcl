# One node on raft storage, for one machine; TLS ends nowhere because nothing leaves the compose network.
storage "raft" {
  path    = "/openbao/file"
  node_id = "compose"
}
listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = true
}
api_addr     = "http://openbao:8200"
cluster_addr = "http://openbao:8201"
ui           = false
