package secrets

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Size is how many bytes a random secret has.
const Size = 32

// Random makes a secret of random bytes; it never fails.
func Random() ([]byte, error) {
	secret := make([]byte, Size)
	_, _ = rand.Read(secret)
	return secret, nil
}

// EncodeLines writes a line for each key: the secret in base64, when it was made,
// and when its turn begins, in Unix seconds.
func EncodeLines(keys []Key) ([]byte, error) {
	var b []byte
	for _, k := range keys {
		b = fmt.Appendf(b, "%s %d %d\n", base64.StdEncoding.EncodeToString(k.Secret), k.Made.Unix(), k.Begin().Unix())
	}
	return b, nil
}

var errLines = errors.New("it holds no keys")

// DecodeLines reads what EncodeLines writes. A line of a secret alone is a key of
// which it is not known when it was made: its turn, of a length, ends now.
func DecodeLines(text []byte, turn time.Duration) (out []Key, err error) {
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		secret, err := base64.StdEncoding.DecodeString(fields[0])
		if err != nil || len(secret) != Size || len(fields) != 1 && len(fields) != 3 {
			return nil, errLines
		}
		k := Key{Made: time.Now().Add(-turn).UTC().Truncate(time.Second), Secret: secret}
		if len(fields) == 3 {
			made, err1 := strconv.ParseInt(fields[1], 10, 64)
			from, err2 := strconv.ParseInt(fields[2], 10, 64)
			if err1 != nil || err2 != nil {
				return nil, errLines
			}
			k.Made, k.From = time.Unix(made, 0).UTC(), time.Unix(from, 0).UTC()
		}
		out = append(out, k)
	}
	if len(out) == 0 {
		return nil, errLines
	}
	return out, nil
}
