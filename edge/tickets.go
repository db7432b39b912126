package edge

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/tls"
	"time"

	"gatehouse/secrets"
)

// TicketsFile is the document of the keys of TLS session tickets.
const TicketsFile = "tls-ticket-keys"

// How long a key seals tickets, and how long it opens them: who has both the key and
// what was recorded could read sessions of TLS 1.2.
const (
	ticketsSealed = 24 * time.Hour
	ticketsOpened = 48 * time.Hour
	ticketsAhead  = time.Hour // each gateway has it before it seals
)

// Tickets seal the tickets by which clients resume TLS sessions (RFC 8446 section
// 4.6.1), so that any gateway with the same keys can open them. They are safe for
// concurrent use.
type Tickets struct {
	*secrets.Ring[ticketKey]
}

type ticketKey [secrets.Size]byte

// OpenTickets returns the Tickets of a place, making the first key where there is
// none yet.
func OpenTickets(place secrets.Place) (*Tickets, error) {
	r, err := secrets.Open(place, secrets.Kind[ticketKey]{
		Name: TicketsFile, Turn: ticketsSealed, Life: ticketsOpened, Ahead: ticketsAhead,
		New: secrets.Random, Encode: secrets.EncodeLines,
		Decode:  func(text []byte) ([]secrets.Key, error) { return secrets.DecodeLines(text, ticketsSealed) },
		Prepare: func(k *secrets.Key) (ticketKey, error) { return ticketKey(k.Secret), nil },
	})
	if err != nil {
		return nil, err
	}
	return &Tickets{r}, nil
}

// seal has a configuration's tickets sealed with the keys, for its scope: those of
// another are none of its.
func (t *Tickets) seal(conf *tls.Config, scope string) {
	about := []byte("gatehouse TLS ticket " + scope)
	conf.WrapSession = func(_ tls.ConnectionState, s *tls.SessionState) ([]byte, error) {
		plain, err := s.Bytes()
		if err != nil {
			return nil, err
		}
		key := t.Current(time.Now()).Value
		return key.seal(plain, about), nil
	}
	conf.UnwrapSession = func(ticket []byte, _ tls.ConnectionState) (*tls.SessionState, error) {
		now, all := time.Now(), t.All()
		for i := range all {
			if !t.Good(&all[i], now) {
				continue
			}
			plain, ok := all[i].Value.open(ticket, about)
			if !ok {
				continue
			}
			if s, err := tls.ParseSessionState(plain); err == nil {
				return s, nil
			}
		}
		return nil, nil // a full handshake
	}
}

const ticketSalt = 24

// seal seals a ticket with AES-256-GCM under a key that HMAC-SHA256 makes of a salt
// of its own, so that no nonce comes twice.
func (k *ticketKey) seal(plain, about []byte) []byte {
	out := make([]byte, ticketSalt, ticketSalt+len(plain)+16)
	_, _ = rand.Read(out)
	return k.aead(out).Seal(out, make([]byte, 12), plain, about)
}

func (k *ticketKey) open(ticket, about []byte) ([]byte, bool) {
	if len(ticket) < ticketSalt+16 {
		return nil, false
	}
	plain, err := k.aead(ticket[:ticketSalt]).Open(nil, make([]byte, 12), ticket[ticketSalt:], about)
	return plain, err == nil
}

func (k *ticketKey) aead(salt []byte) cipher.AEAD {
	return secrets.AEAD(k[:], "", salt[:ticketSalt])
}
