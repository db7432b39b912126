package gatehouse

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gatehouse/config"
	"gatehouse/upstream"
)

// Before returns the configuration that puts safe defaults before one service,
// an address such as http://localhost:3000 or localhost:3000, with no file at
// all: HTTPS on loopback with a certificate of the gateway's own CA, every path
// published, and strangers throttled by address. State lives in BeforeData.
func Before(address string) (*Config, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	if _, err := upstream.Inline(address, config.Pos{}); err != nil || strings.Contains(address, "$") {
		return nil, errors.New("this is no address of a service: write --to http://HOST:PORT") // it may hold a password
	}
	data, err := BeforeData()
	if err != nil {
		return nil, err
	}
	text := "data: " + quoted(data) + `
listen:
  - {address: "127.0.0.1:8443", tls: {certificates: internal}}
  - {address: "127.0.0.1:8080", redirect: https}
throttle: [{rate: 100/s, burst: 200, per: ip}]
apis:
  default:
    authorize: none
    routes:
      - {match: "ANY /{proxy*}", target: ` + quoted(address) + `}
`
	return LoadText("--to", []byte(text))
}

// BeforeData returns the folder of what Before's configuration keeps: one of
// the user's own, since its keys are trusted.
func BeforeData() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder to keep keys in: set HOME, or XDG_CACHE_HOME (%w)", err)
	}
	return filepath.Join(cache, "gatehouse"), nil
}

// quoted returns text as a value of YAML in which nothing is a reference.
func quoted(text string) string {
	return strconv.Quote(strings.ReplaceAll(text, "${", "$${"))
}
