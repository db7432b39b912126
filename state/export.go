package state

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/argon2"
)

// An export is one line that says what it is, and a box: all rows with their
// secrets in the clear, sealed by AES-256-GCM under a key that argon2id makes of
// the passphrase and a salt. Its parameters are the format's, so that no file
// can ask for more.
const (
	exportHead  = "gatehouse state export 1\n"
	exportSalt  = 16
	minPhrase   = 12       // characters
	argonTime   = 3        // passes
	argonMemory = 64 << 10 // KiB
	argonLanes  = 2
)

// MaxExport is how many bytes an export may have.
const MaxExport = 512 << 20

// ErrExport is the error of an export that cannot be read.
var ErrExport = errors.New("it is no export of the state, or the passphrase is not the one that it was made with")

func exportKey(phrase string, salt []byte) []byte {
	return argon2.IDKey([]byte(phrase), salt, argonTime, argonMemory, argonLanes, 32)
}

// Export returns all of the state, encrypted with a passphrase of 12 characters
// or more.
func (s *Store) Export(phrase string) ([]byte, error) {
	if len(phrase) < minPhrase {
		return nil, fmt.Errorf("the passphrase needs %d characters at least: who has the export can try as many as they like", minPhrase)
	}
	s.mu.Lock()
	entries := s.entries()
	s.mu.Unlock()
	if !s.Loaded() {
		return nil, ErrAway
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.Key, b.Key) })
	for i := range entries {
		e := &entries[i]
		t, id := s.tableOf(e.Key)
		value, err := t.plain(id, e.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Key, err)
		}
		e.Value, e.Revision = value, 0
	}
	return sealExport(phrase, entries), nil
}

func sealExport(phrase string, entries []entry) []byte {
	plain, _ := json.Marshal(entries)
	out := append([]byte(exportHead), make([]byte, exportSalt)...)
	_, _ = rand.Read(out[len(exportHead):])
	aead := aeadOf(exportKey(phrase, out[len(exportHead):]))
	return aead.Seal(out, make([]byte, aead.NonceSize()), plain, []byte(exportHead)) // the key seals one message
}

func openExport(phrase string, text []byte) ([]entry, error) {
	rest, ok := bytes.CutPrefix(text, []byte(exportHead))
	if !ok || len(rest) < exportSalt || len(text) > MaxExport {
		return nil, ErrExport
	}
	aead := aeadOf(exportKey(phrase, rest[:exportSalt]))
	plain, err := aead.Open(nil, make([]byte, aead.NonceSize()), rest[exportSalt:], []byte(exportHead))
	if err != nil {
		return nil, ErrExport
	}
	return readEntries(plain)
}

// readEntries reads the rows of an export and refuses what cannot be rows.
func readEntries(plain []byte) ([]entry, error) {
	var entries []entry
	if err := json.Unmarshal(plain, &entries); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrExport, err)
	}
	for _, e := range entries {
		if !validKey(e.Key) || len(e.Value) > maxRecord/2 || len(e.Value) == 0 {
			return nil, fmt.Errorf("%w: the row %q", ErrExport, e.Key)
		}
	}
	return entries, nil
}

// validKey knows the keys that NATS takes and we write: TABLE.ID.
func validKey(key string) bool {
	if len(key) > 256 || len(key) < 3 || key[0] == '.' || key[len(key)-1] == '.' {
		return false
	}
	dots := 0
	for i := range len(key) {
		c := key[i]
		switch {
		case c == '.':
			if dots++; key[i-1] == '.' {
				return false
			}
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '=', c == '/':
		default:
			return false
		}
	}
	return dots > 0
}

// Imported says what an import did.
type Imported struct {
	Rows    int `json:"rows"`    // in the export
	Written int `json:"written"` // that were not there, or were replaced
	Unknown int `json:"unknown"` // of tables that this version does not have: left out
	Kept    int `json:"kept"`    // the gateway's own secrets that stay as they are here
}

// Import stores what an export holds. Where a row is there already with another
// value it changes nothing, unless overwrite is set.
func (s *Store) Import(ctx context.Context, phrase string, text []byte, overwrite bool) (Imported, error) {
	entries, err := openExport(phrase, text)
	if err != nil {
		return Imported{}, err
	}
	done := Imported{Rows: len(entries)}
	var wanted []entry
	clashes := 0
	for _, e := range entries {
		s.mu.Lock()
		t, id := s.tableOf(e.Key)
		s.mu.Unlock()
		if t == nil {
			done.Unknown++
			continue
		}
		was, there := t.Get(id)
		if there && bytes.Equal(was.Value, e.Value) {
			continue
		}
		switch {
		case there && t.merge != nil && !overwrite:
			merged, err := t.merge(id, was.Value, e.Value)
			if err != nil {
				done.Kept++
				continue
			}
			if bytes.Equal(merged, was.Value) {
				continue
			}
			e.Value = merged
		case there:
			clashes++
		}
		wanted = append(wanted, e)
	}
	if clashes > 0 && !overwrite {
		return done, fmt.Errorf("%d of %d rows are here already with other values: nothing was changed; say --overwrite to replace them", clashes, len(entries))
	}
	for _, e := range wanted {
		s.mu.Lock()
		t, id := s.tableOf(e.Key)
		s.mu.Unlock()
		if err := t.Put(ctx, id, e.Value); err != nil {
			return done, fmt.Errorf("after %d rows: %w (run it again)", done.Written, err)
		}
		done.Written++
	}
	return done, nil
}

// Rekeyed says what a change of the master key did.
type Rekeyed struct {
	Secrets int    `json:"secrets"` // encrypted anew
	Key     string `json:"key"`     // id of the master key in force
}

// Rekey encrypts every secret under a new master key, and then forgets the old
// ones. Where a secret is under an old key already, since a rekey was broken off
// or the operator has put a new key first, no other is made. Gateways that
// share servers must each be given the new key before.
func (s *Store) Rekey(ctx context.Context) (Rekeyed, error) {
	old := s.sealedRows()
	if len(s.outdated(old)) == 0 {
		if s.External() {
			return Rekeyed{}, errors.New("several gateways share this state: put the new master key as a line before the old one into the file of each, restart them, and run this again")
		}
		if err := s.ring.add(); err != nil {
			return Rekeyed{}, err
		}
	}
	done := Rekeyed{}
	for _, ref := range s.outdated(old) {
		row, ok := ref.table.Get(ref.id)
		if !ok {
			return done, fmt.Errorf("%s%s: %w", ref.table.prefix, ref.id, ErrNoKey)
		}
		if err := ref.table.Update(ctx, ref.id, row.Value, row.Revision); err != nil {
			return done, fmt.Errorf("after %d secrets: %w (run it again; the old master key is still there)", done.Secrets, err)
		}
		done.Secrets++
	}
	if s.External() {
		_ = s.writeCopy()
	}
	s.ring.mu.RLock()
	done.Key = s.ring.keys[0].id
	s.ring.mu.RUnlock()
	return done, s.ring.drop()
}

type sealedRow struct {
	table *Table
	id    string
	value []byte
}

func (s *Store) sealedRows() (out []sealedRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		for id, r := range t.rows {
			if t.sealed && !r.gone {
				out = append(out, sealedRow{t, id, r.value})
			}
		}
	}
	return out
}

func (s *Store) outdated(rows []sealedRow) []sealedRow {
	return slices.DeleteFunc(slices.Clone(rows), func(r sealedRow) bool { return s.ring.current(r.value) })
}
