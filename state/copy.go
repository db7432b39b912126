package state

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"gatehouse/private"
)

// copyFile is where what the servers elsewhere last said is kept: a line with
// the MAC of the rest under a key made of the master key, and the rows.
const copyFile = "state.copy"

const copyPurpose = "copy of the state"

// entry is a row in a copy or an export.
type entry struct {
	Key      string `json:"key"`
	Value    []byte `json:"value"`
	Revision uint64 `json:"revision,omitempty"`
}

func (s *Store) copyPath() string { return filepath.Join(s.options.Data, copyFile) }

// entries returns all rows. Under mu.
func (s *Store) entries() (out []entry) {
	for prefix, t := range s.tables {
		for id, r := range t.rows {
			if !r.gone {
				out = append(out, entry{prefix + id, r.value, r.revision})
			}
		}
	}
	return out
}

// Keep has what the store knows be on this machine's disk when it returns. An
// engine inside is there already.
func (s *Store) Keep() error {
	if !s.External() {
		return nil
	}
	return s.writeCopy()
}

// writeCopy writes the copy anew where something has changed.
func (s *Store) writeCopy() error {
	s.copying.Lock()
	defer s.copying.Unlock()
	s.mu.Lock()
	if !s.dirty || !s.loaded.Load() {
		s.mu.Unlock()
		return nil
	}
	entries := s.entries()
	s.dirty = false
	s.mu.Unlock()
	body, _ := json.Marshal(entries)
	text := append([]byte(base64.StdEncoding.EncodeToString(mac(s.ring.Derive(copyPurpose), body))+"\n"), body...)
	if err := private.Replace(s.copyPath(), text); err != nil {
		s.log.Error("the copy of the state could not be written", slog.Any("error", err))
		s.mu.Lock()
		s.dirty = true
		s.mu.Unlock()
		return err
	}
	s.stats.copied.Store(time.Now().UnixNano())
	return nil
}

// readCopy goes by the copy until the engine is there. One that was changed by
// somebody else is not believed.
func (s *Store) readCopy() {
	text, err := os.ReadFile(s.copyPath())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	entries, err2 := s.verifyCopy(text)
	if err = errors.Join(err, err2); err != nil {
		s.log.Error("the copy of the state is not believed", slog.String("file", s.copyPath()), slog.Any("error", err))
		return
	}
	s.mu.Lock()
	for _, e := range entries {
		if t, id := s.tableOf(e.Key); t != nil {
			t.apply(id, e.Value, 0, false) // whatever the engine says is newer
			t.rows[id] = row{value: e.Value}
		}
	}
	s.mu.Unlock()
	s.loaded.Store(true)
	if info, err := os.Stat(s.copyPath()); err == nil {
		s.stats.heard.Store(info.ModTime().UnixNano())
		s.stats.copied.Store(info.ModTime().UnixNano())
	}
}

func (s *Store) verifyCopy(text []byte) ([]entry, error) {
	head, body, _ := bytes.Cut(text, []byte("\n"))
	said, err := base64.StdEncoding.DecodeString(string(head))
	if err != nil {
		return nil, errors.New("it has no code of authenticity")
	}
	for _, key := range s.ring.DeriveAll(copyPurpose) {
		if hmac.Equal(said, mac(key, body)) {
			var entries []entry
			return entries, json.Unmarshal(body, &entries)
		}
	}
	return nil, errors.New("its code of authenticity is wrong: it was changed, or belongs to another master key")
}

func mac(key, text []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(text)
	return m.Sum(nil)
}
