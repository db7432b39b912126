package sigv4

import "gatehouse/config"

// Config is how callers are known by AWS Signature Version 4.
type Config struct {
	config.At
	Body            config.Size `yaml:"body" default:"10MiB" range:"1..1GiB" doc:"the largest body that is held until it has been compared with its signed hash; larger ones are 413. Bodies in signed chunks are compared chunk by chunk, up to the route's limit"`
	UnsignedPayload string      `yaml:"unsigned-payload" default:"tls" enum:"tls|refuse" doc:"whether clients may leave the body out of their signature (UNSIGNED-PAYLOAD): where TLS protects it, or never"`
}
