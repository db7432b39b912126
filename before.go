package gatehouse

import (
	"os"
	"path/filepath"
	"strconv"
)

// Before returns the configuration that puts safe defaults before one service,
// an address such as http://localhost:3000, with no file at all: HTTPS on
// loopback with a certificate of the gateway's own CA, every path published,
// and strangers throttled by address. State lives in the user's cache folder.
func Before(address string) (*Config, error) {
	data, err := os.UserCacheDir()
	if err != nil {
		data = os.TempDir()
	}
	data = filepath.Join(data, "gatehouse")
	text := "data: " + strconv.Quote(data) + `
listen:
  - {address: "127.0.0.1:8443", tls: {certificates: internal}}
  - {address: "127.0.0.1:8080", redirect: https}
throttle: [{rate: 100/s, burst: 200, per: ip}]
apis:
  default:
    authorize: none
    routes:
      - {match: "ANY /{proxy*}", target: ` + strconv.Quote(address) + `}
`
	return LoadText("--to", []byte(text))
}
