package ca

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	blockCert = "CERTIFICATE"
	blockKey  = "PRIVATE KEY"
)

// errAbsent says that a file is not there.
var errAbsent = errors.New("ca: no such file")

// prepare makes the folder.
func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others may write to %s, where the gateway's private keys are: chmod 700 %s", dir, dir)
	}
	sweep(dir)
	return nil
}

const (
	unplaced    = ".new-" // begins the name of a file that is being written
	abandonedIn = time.Hour
)

// sweep removes what a crash has left half written: keys that came to no use.
func sweep(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, unplaced+"*"))
	for _, path := range left {
		if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > abandonedIn {
			_ = os.Remove(path)
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// load reads one authority.
func load(path string) (*authority, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errAbsent
	}
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others may read %s, which holds a private key: chmod 600 %s, and think of what they may have read", path, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	a, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; put it back from a backup%s", path, err, cure(path))
	}
	return a, nil
}

func cure(path string) string {
	if filepath.Base(path) == rootFile {
		return ", or move the folder away to begin anew, after which everybody must trust the new root"
	}
	return ", or remove it, and it is made anew"
}

func parse(text []byte) (*authority, error) {
	cert, rest := pem.Decode(text)
	if cert == nil || cert.Type != blockCert {
		return nil, errors.New("it does not begin with a certificate")
	}
	key, rest := pem.Decode(rest)
	if key == nil || key.Type != blockKey {
		return nil, errors.New("no private key follows the certificate")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("something follows the private key")
	}
	return parsePair(cert.Bytes, key.Bytes)
}

func parsePair(certDER, keyDER []byte) (*authority, error) {
	cert, err := x509.ParseCertificate(certDER)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, errors.New("the private key is not readable") // the parser's words could quote it
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the private key cannot sign")
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(cert.PublicKey) {
		return nil, errors.New("the private key does not belong to the certificate")
	}
	return &authority{cert, signer}, nil
}

// create signs and writes a new authority; itself signs where parent is nil.
// Where another process was faster, what it wrote is loaded.
func create(path string, t *x509.Certificate, parent *authority, key crypto.Signer) (*authority, error) {
	a, text, err := sign(t, parent, key)
	if err != nil {
		return nil, err
	}
	err = write(path, text, linkNew)
	if errors.Is(err, fs.ErrExist) {
		return load(path)
	}
	return a, err
}

// replace is create for a file that is there and has had its time.
func replace(path string, t *x509.Certificate, parent *authority, key crypto.Signer) (*authority, error) {
	a, text, err := sign(t, parent, key)
	if err != nil {
		return nil, err
	}
	return a, write(path, text, os.Rename)
}

func sign(t *x509.Certificate, parent *authority, key crypto.Signer) (*authority, []byte, error) {
	signer := parent
	if signer == nil {
		signer = &authority{t, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, signer.cert, key.Public(), signer.key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: blockCert, Bytes: der})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: blockKey, Bytes: secret})...)
	return &authority{cert, key}, text, nil
}

// linkNew gives a file its name unless the name is taken. Some file systems
// know no links: there two processes that start at once on a new folder may
// both write, and the next start finds what does not fit.
func linkNew(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) || exists(to) {
		return err
	}
	return os.Rename(from, to)
}

// write puts a file in place whole and durable: place moves or links it to its
// name once its bytes are on the disk.
func write(path string, text []byte, place func(from, to string) error) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, unplaced+"*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err := place(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
