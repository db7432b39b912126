package geo

import (
	"crypto/sha256"
	"hash"
	"io"

	"gatehouse/config"
)

// Config says by what data countries are known.
type Config struct {
	config.At
	Database Database `yaml:"database" doc:"a database in MaxMind's format (.mmdb) such as GeoLite2-Country or GeoLite2-City; watched as the configuration is; default: the program's own data"`
}

// DB returns the data to go by.
func (c *Config) DB() *DB {
	if c.Database.db == nil {
		return Embedded()
	}
	return c.Database.db()
}

// Database is a file that was read with the configuration.
type Database struct {
	// Sum tells databases apart by their content.
	Sum [sha256.Size]byte
	// db is a function so that nobody who walks through a configuration walks
	// through a database.
	db func() *DB
}

// UnmarshalConfig reads the file.
func (d *Database) UnmarshalConfig(n *config.Node) {
	n.Stream(MaxFile, func(r io.Reader, fault func(int, error)) {
		h := sha256.New()
		content, err := readAll(r, h)
		if err != nil {
			return // the reader's error is told by whoever opened it
		}
		db, err := Open(content)
		if err != nil {
			fault(1, err)
			return
		}
		db.Sum = [sha256.Size]byte(h.Sum(nil))
		d.Sum, d.db = db.Sum, func() *DB { return db }
	})
}

// ConfigSchema implements config.Schemer.
func (Database) ConfigSchema() *config.Schema { return &config.Schema{Type: "string"} }

func readAll(r io.Reader, h hash.Hash) ([]byte, error) {
	return io.ReadAll(io.TeeReader(r, h))
}
