package test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/admin"
	"gatehouse/auth/devkey"
	"gatehouse/test/dnstest"
	"gatehouse/usage"
)

// stage is what a scenario plays on: the services and keys that its {{...}}
// name, made when they are first named.
type stage struct {
	t        *testing.T
	data     string // the gateway's data folder
	backends map[string]string
	names    *dnstest.Server
	issuer   string
	asked    string // the program that authorizes
	keys     map[string]*devkey.Key
	pem      []byte // the secure backend's certificate
	apiKeys  map[string]usage.Created
}

func newStage(t *testing.T) *stage {
	return &stage{t: t, backends: make(map[string]string), keys: make(map[string]*devkey.Key), apiKeys: make(map[string]usage.Created)}
}

var placeholder = regexp.MustCompile(`\{\{([^}]+)\}\}`)

// expand replaces in text:
//
//	{{backend}} {{backend2}} ...      HOST:PORT of an echo service of that name
//	{{backend-h2c}} ...               of one by HTTP/2 without TLS
//	{{secure}}                        of one over TLS, for the name backend.test
//	{{secure-certificate}}            its certificate
//	{{names}}                         of a DNS server that knows where backend is by
//	                                  _http._tcp.shop.test
//	{{nobody}}                        where connections are refused
//	{{issuer}}                        of a service with a key set at /jwks: at the
//	                                  first fetch key 1, then keys 1 and 2; at
//	                                  /failing these with status 500
//	{{program}}                       the URL of a program that authorizes: see program_test.go's answers
//	{{keys 1}}                        a key set with that key alone
//	{{token sub=alice scope=a,b iss=... aud=... for=-1h key=1}}
//	                                  a token, signed with the development key
//	                                  where none is named
//	{{api-key NAME PLAN}}             the value of an API key that is made for it
//	{{api-key-id NAME}}               its id
//	{{repeat x 100}}                  a text over and over
func (s *stage) expand(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		words := strings.Fields(found[2 : len(found)-2])
		switch words[0] {
		case "secure":
			return s.secureBackend()
		case "secure-certificate":
			s.secureBackend()
			return string(s.pem)
		case "names":
			return s.resolver()
		case "nobody":
			return nobody(s.t)
		case "issuer":
			return s.issuerAddress()
		case "keys":
			return string(keySet(s.key(words[1])))
		case "program":
			return s.program()
		case "token":
			return s.token(words[1:])
		case "api-key":
			return s.apiKey(words[1], words[2])
		case "api-key-id":
			return s.apiKeys[words[1]].ID
		case "repeat":
			n, _ := strconv.Atoi(words[2])
			return strings.Repeat(words[1], n)
		}
		if !strings.HasPrefix(words[0], "backend") {
			s.t.Fatalf("unknown placeholder %s", found)
		}
		return s.backend(words[0])
	})
}

func (s *stage) backend(name string) string {
	if s.backends[name] == "" {
		backend := newBackend(s.t, name)
		if strings.HasPrefix(name, "backend-h2c") {
			backend = overHTTP2(s.t, backend)
		}
		s.backends[name] = backend.Listener.Addr().String()
	}
	return s.backends[name]
}

// apiKey returns the value of the API key of a name, made by a call on the
// control socket.
func (s *stage) apiKey(name, plan string) string {
	if key, made := s.apiKeys[name]; made {
		return key.Value
	}
	var key usage.Created
	if err := admin.Dial(s.data).Act(s.t.Context(), "keys/create", usage.Wish{Name: name, Plan: plan}, &key); err != nil {
		s.t.Fatalf("an API key for %s: %v", name, err)
	}
	s.apiKeys[name] = key
	return key.Value
}

func (s *stage) resolver() string {
	if s.names == nil {
		_, port, _ := net.SplitHostPort(s.backend("backend"))
		s.names = dnstest.New(s.t, "_http._tcp.shop.test. 60 IN SRV 1 1 "+port+" node.shop.test.", "node.shop.test. 60 IN A 127.0.0.1")
	}
	return s.names.Addr
}

func (s *stage) secureBackend() string {
	if s.pem == nil {
		server, pem := newSecureBackend(s.t, "secure")
		s.backends["secure"], s.pem = server.Listener.Addr().String(), pem
	}
	return s.backends["secure"]
}

// key returns a signing key by its name; "" is the gateway's development key.
func (s *stage) key(name string) *devkey.Key {
	if s.keys[name] != nil {
		return s.keys[name]
	}
	folder := s.data
	if name != "" {
		folder = filepath.Join(s.t.TempDir(), name)
	}
	key, err := devkey.Open(folder)
	if err != nil {
		s.t.Fatal(err)
	}
	s.keys[name] = key
	return key
}

// issuerAddress starts an issuer that publishes a further key after the first
// fetch.
func (s *stage) issuerAddress() string {
	if s.issuer == "" {
		answers := make(chan []byte, 1)
		answers <- keySet(s.key("1"))
		both := keySet(s.key("1"), s.key("2"))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/failing" {
				w.WriteHeader(http.StatusInternalServerError)
				_, _ = w.Write(both)
				return
			}
			select {
			case first := <-answers:
				_, _ = w.Write(first)
			default:
				_, _ = w.Write(both)
			}
		}))
		s.t.Cleanup(server.Close)
		s.issuer = server.Listener.Addr().String()
	}
	return s.issuer
}

// keySet returns a JWKS with the public parts of keys.
func keySet(keys ...*devkey.Key) []byte {
	type set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	var all set
	for _, key := range keys {
		var one set
		_ = json.Unmarshal(key.JWKS(), &one) // it is JSON: we wrote it
		all.Keys = append(all.Keys, one.Keys...)
	}
	data, _ := json.Marshal(all)
	return data
}

func (s *stage) token(words []string) string {
	c := devkey.Claims{Issuer: "https://login.test", Audience: []string{"test"}, Subject: "alice", Lifetime: time.Hour}
	signer := ""
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "sub":
			c.Subject = value
		case "iss":
			c.Issuer = value
		case "aud":
			c.Audience = strings.Split(value, ",")
		case "scope":
			c.Scopes = strings.Split(value, ",")
		case "for":
			c.Lifetime, _ = time.ParseDuration(value)
		case "key":
			signer = value
		default:
			s.t.Fatalf("unknown claim %s", word)
		}
	}
	token, err := s.key(signer).Sign(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}
