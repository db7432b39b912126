// Package revoked knows credentials that are good by themselves and must not be
// taken any more: single tokens, and all that a subject or an issuer had until a
// time. They are kept in the state; looking them up costs no I/O, and where there
// are none next to nothing.
package revoked

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/exchange"
	"gatehouse/state"
)

// Rule is one revocation: of the token with an id, or of all tokens of a
// subject, or of the issuer's, that were issued until Before.
type Rule struct {
	Issuer  string     `json:"issuer"`
	ID      string     `json:"jti,omitempty"`
	Subject string     `json:"subject,omitempty"`
	Before  *time.Time `json:"issuedBefore,omitempty"`
	Reason  string     `json:"reason,omitempty"`
	Created time.Time  `json:"created"`
	// Until is when the rule may be forgotten, since what it is about has expired
	// then; nil for never.
	Until *time.Time `json:"until,omitempty"`
}

const (
	maxRules = 1 << 20
	maxText  = 2048
)

// key names a rule: a second one about the same takes its place.
func (r *Rule) key() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", r.Issuer, r.ID, r.Subject))
	return hex.EncodeToString(sum[:16])
}

// List is all revocations. It is safe for concurrent use.
type List struct {
	log   *slog.Logger
	store *state.Store
	table *state.Table
	count atomic.Int64

	mu       sync.RWMutex
	rules    map[string]*Rule
	tokens   map[string]map[string]bool  // by issuer, by id
	subjects map[string]map[string]int64 // by issuer, by subject: Unix seconds
	issuers  map[string]int64            // Unix seconds
}

// New returns the List of a store that is not open yet.
func New(store *state.Store, log *slog.Logger) *List {
	l := &List{
		log: log, store: store, rules: make(map[string]*Rule), tokens: make(map[string]map[string]bool),
		subjects: make(map[string]map[string]int64), issuers: make(map[string]int64),
	}
	l.table = store.Table("revoked", l.changed)
	return l
}

// changed takes what the state says of a rule.
func (l *List) changed(id string, value []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before := l.rules[id]; before != nil {
		l.drop(before)
		delete(l.rules, id)
	}
	if value != nil {
		r := &Rule{}
		if err := json.Unmarshal(value, r); err != nil {
			l.log.Error("a revocation in the state cannot be read", slog.String("id", id), slog.Any("error", err))
			return
		}
		l.rules[id] = r
		l.add(r)
	}
	l.count.Store(int64(len(l.rules)))
}

func (l *List) add(r *Rule) {
	switch {
	case r.ID != "":
		if l.tokens[r.Issuer] == nil {
			l.tokens[r.Issuer] = make(map[string]bool)
		}
		l.tokens[r.Issuer][r.ID] = true
	case r.Before == nil:
	case r.Subject != "":
		if l.subjects[r.Issuer] == nil {
			l.subjects[r.Issuer] = make(map[string]int64)
		}
		l.subjects[r.Issuer][r.Subject] = r.Before.Unix()
	default:
		l.issuers[r.Issuer] = r.Before.Unix()
	}
}

func (l *List) drop(r *Rule) {
	switch {
	case r.ID != "":
		delete(l.tokens[r.Issuer], r.ID)
	case r.Subject != "":
		delete(l.subjects[r.Issuer], r.Subject)
	default:
		delete(l.issuers, r.Issuer)
	}
}

// Unknown reports whether nobody can tell what is revoked: there is a state, and
// it could not be read. No credential is to be taken then.
func (l *List) Unknown() bool { return l.store.Missing() }

// Revoked returns why a caller's credential must not be taken any more; "" where
// it may be.
func (l *List) Revoked(p *exchange.Principal) string {
	if l.count.Load() == 0 {
		return ""
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if ids := l.tokens[p.Issuer]; len(ids) > 0 {
		if id, ok := p.Claims["jti"].(string); ok && ids[id] {
			return "the token was revoked (jti)"
		}
	}
	if before, there := l.issuers[p.Issuer]; there && !issuedAfter(p, before) {
		return "tokens of the issuer were revoked that are as old"
	}
	if before, there := l.subjects[p.Issuer][p.Subject]; there && !issuedAfter(p, before) {
		return "tokens of the subject were revoked that are as old"
	}
	return ""
}

// issuedAfter reports whether a token says to be issued after a time; one that
// says nothing is not.
func issuedAfter(p *exchange.Principal, before int64) bool {
	n, _ := p.Claims["iat"].(json.Number)
	at, err := strconv.ParseFloat(string(n), 64)
	return err == nil && at >= float64(before)+1
}

// Revoke makes a rule hold. It is durable, and holds on this gateway, when Revoke
// returns. A rule about a subject or an issuer without Before is until now.
func (l *List) Revoke(ctx context.Context, r Rule) (*Rule, error) {
	r.Created = time.Now().UTC().Truncate(time.Second)
	if r.ID == "" && r.Before == nil {
		r.Before = &r.Created
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	if l.prune(ctx); l.count.Load() >= maxRules {
		return nil, fmt.Errorf("there are %d revocations already: revoke by subject or issuer, or say --until", maxRules)
	}
	text, err := json.Marshal(&r)
	if err != nil {
		return nil, err
	}
	return &r, l.table.Put(ctx, r.key(), text)
}

func (r *Rule) check() error {
	switch {
	case r.Issuer == "":
		return errors.New("say the issuer whose tokens are meant")
	case r.ID != "" && (r.Subject != "" || r.Before != nil):
		return errors.New("a token is named by its id alone (jti)")
	case len(r.Issuer)+len(r.ID)+len(r.Subject)+len(r.Reason) > maxText:
		return fmt.Errorf("a revocation has at most %d bytes of text", maxText)
	}
	return nil
}

// Pardon takes a rule back.
func (l *List) Pardon(ctx context.Context, r Rule) error {
	row, there := l.table.Get(r.key())
	if !there {
		return errors.New("nothing like this is revoked (`gatehouse tokens list` shows what is)")
	}
	return l.table.Delete(ctx, r.key(), row.Revision)
}

// pruneAtOnce is how many rules are forgotten with one that is made.
const pruneAtOnce = 16

// prune forgets rules that are about what has expired.
func (l *List) prune(ctx context.Context) {
	now := time.Now()
	var old []string
	l.mu.RLock()
	for id, r := range l.rules {
		if r.Until != nil && r.Until.Before(now) {
			if old = append(old, id); len(old) == pruneAtOnce {
				break
			}
		}
	}
	l.mu.RUnlock()
	for _, id := range old {
		if row, there := l.table.Get(id); there {
			_ = l.table.Delete(ctx, id, row.Revision) // the next one tries again
		}
	}
}

// Rules returns all rules, the newest first.
func (l *List) Rules() []*Rule {
	l.mu.RLock()
	defer l.mu.RUnlock()
	out := make([]*Rule, 0, len(l.rules))
	for _, r := range l.rules {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *Rule) int { return b.Created.Compare(a.Created) })
	return out
}
