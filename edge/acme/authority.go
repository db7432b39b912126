package acme

import (
	"context"

	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	protocol "github.com/mholt/acmez/v3/acme"

	"gatehouse/config"
)

// authority is one CA under one set of settings.
type authority struct {
	keeper  *Keeper
	config  *Config
	solves  []string // challenges that can be answered
	digest  [sha256.Size]byte
	client  *http.Client
	solvers map[string]acmez.Solver
	log     *slog.Logger

	mu      sync.Mutex
	account *protocol.Account // nil until it is needed
}

func newAuthority(k *Keeper, d *Demand) *authority {
	a := &authority{keeper: k, config: d.Config, solves: d.challenges(), log: k.options.Log}
	a.digest = config.Digest([]any{a.config, a.solves})
	var roots *x509.CertPool
	if a.config.CA.IsSet() {
		roots = x509.NewCertPool()
		roots.AppendCertsFromPEM(a.config.CA.Content) // which Check has seen to
	}
	a.client = k.options.Client(roots, false)
	a.solvers = map[string]acmez.Solver{HTTP01: overHTTP{k.book}, ALPN01: overTLS{k.book}}
	if a.config.DNS != nil {
		a.solvers[DNS01] = newHook(a.config.DNS, k.options.Client(nil, true), k.options.Log)
	}
	return a
}

// key names the CA among files: host and path of its directory, as certmagic
// does it.
func (a *authority) key() string {
	key := a.config.Directory
	if u, err := url.Parse(key); err == nil {
		key = strings.Trim(u.Host+strings.NewReplacer("/", "-", `\`, "-").Replace(u.Path), "-")
	}
	return certmagic.StorageKeys.Safe(key)
}

// solversFor returns who answers challenges for a name: for a wildcard CAs ask
// in DNS alone.
func (a *authority) solversFor(name string) map[string]acmez.Solver {
	out := make(map[string]acmez.Solver)
	for challenge, solver := range a.solvers {
		if slices.Contains(a.solves, challenge) && (challenge == DNS01 || !strings.HasPrefix(name, "*.")) {
			out[challenge] = solver
		}
	}
	return out
}

// talk returns a client of the CA for one attempt at one name.
func (a *authority) talk(name string, transport http.RoundTripper) *acmez.Client {
	client := *a.client
	client.Transport = transport
	return &acmez.Client{
		Client: &protocol.Client{
			Directory:  a.config.Directory,
			HTTPClient: &client,
			UserAgent:  "Gatehouse",
			Logger:     slog.New(quiet{a.log.Handler()}),
		},
		ChallengeSolvers: a.solversFor(name),
	}
}

// stored is an account as it lies among the files.
type stored struct {
	Account protocol.Account `json:"account"`
	Key     string           `json:"key"` // PEM
}

func (a *authority) accountKey() string {
	return path.Join("accounts", a.key()+".json")
}

func (a *authority) contact() []string {
	if a.config.Email == "" {
		return nil
	}
	return []string{"mailto:" + a.config.Email}
}

// registered returns the account with the CA, which is made where there is none
// yet.
func (a *authority) registered(ctx context.Context, client *acmez.Client) (protocol.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.account != nil {
		return *a.account, nil
	}
	account, err := a.load(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		account, err = a.register(ctx, client)
	case err == nil && !slices.Equal(account.Contact, a.contact()):
		account = a.move(ctx, client, account)
	}
	if err != nil {
		return account, err
	}
	a.account = &account
	return account, nil
}

func (a *authority) load(ctx context.Context) (protocol.Account, error) {
	text, err := a.keeper.files.Load(ctx, a.accountKey())
	if err != nil {
		return protocol.Account{}, err
	}
	var s stored
	err = json.Unmarshal(text, &s)
	if err == nil {
		s.Account.PrivateKey, err = certmagic.PEMDecodePrivateKey([]byte(s.Key))
	}
	if err == nil && (s.Account.Status != protocol.StatusValid || s.Account.Location == "") {
		err = errors.New("it holds no account")
	}
	if err != nil {
		return protocol.Account{}, &damaged{filepath.Join(a.keeper.files.dir, filepath.FromSlash(a.accountKey())), err}
	}
	return s.Account, nil
}

// register makes an account. certmagic has seen before that it can be written.
func (a *authority) register(ctx context.Context, client *acmez.Client) (protocol.Account, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return protocol.Account{}, err
	}
	account := protocol.Account{Contact: a.contact(), TermsOfServiceAgreed: a.config.Agree, PrivateKey: key}
	if e := a.config.ExternalAccount; e != nil {
		eab := protocol.EAB{KeyID: e.KeyID, MACKey: strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(e.HMAC.Reveal())}
		if err := account.SetExternalAccountBinding(ctx, client.Client, eab); err != nil {
			return account, &accountError{err}
		}
	}
	if account, err = client.NewAccount(ctx, account); err != nil {
		return account, &accountError{err}
	}
	account.ExternalAccountBinding = nil
	account.Contact = a.contact() // what the next start compares
	a.log.Info("registered with the CA", "directory", a.config.Directory, "account", account.Location)
	return account, a.save(ctx, account)
}

// accountError is an account that could not be made.
type accountError struct{ err error }

func (e *accountError) Error() string { return "registering an account: " + e.err.Error() }
func (e *accountError) Unwrap() error { return e.err }

// move tells the CA of another address. Where that fails the account is as good
// as before.
func (a *authority) move(ctx context.Context, client *acmez.Client, account protocol.Account) protocol.Account {
	key, location := account.PrivateKey, account.Location
	account.Contact = a.contact()
	next, err := client.UpdateAccount(ctx, account)
	if err != nil {
		a.log.Warn("the CA did not take the new address", "directory", a.config.Directory, "error", explain(err))
		return account
	}
	next.PrivateKey, next.Location, next.Contact = key, location, a.contact()
	if err := a.save(ctx, next); err != nil {
		a.log.Warn("the account with the CA could not be written", "error", err)
	}
	return next
}

func (a *authority) save(ctx context.Context, account protocol.Account) error {
	key, err := certmagic.PEMEncodePrivateKey(account.PrivateKey)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(stored{account, string(key)}, "", "  ")
	if err != nil {
		return err
	}
	return a.keeper.files.Store(ctx, a.accountKey(), text)
}

// forget drops an account that the CA does not know any more.
func (a *authority) forget(ctx context.Context, account protocol.Account) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.account == nil || a.account.Location != account.Location {
		return nil // another attempt has
	}
	a.account = nil
	a.log.Warn("the CA does not know the account any more: another is made", "directory", a.config.Directory, "account", account.Location)
	return a.keeper.files.Delete(ctx, a.accountKey())
}

// keyType returns the kind of the certificates' keys.
func (c *Config) keyType() certmagic.KeyType {
	switch c.Key {
	case "ecdsa-p384":
		return certmagic.P384
	case "rsa-2048":
		return certmagic.RSA2048
	case "rsa-4096":
		return certmagic.RSA4096
	}
	return certmagic.P256
}
