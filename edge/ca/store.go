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
	"path/filepath"

	"gatehouse/private"
)

const (
	blockCert = "CERTIFICATE"
	blockKey  = "PRIVATE KEY"
)

// errAbsent says that a file is not there.
var errAbsent = errors.New("ca: no such file")

// load reads one authority.
func load(path string) (*authority, error) {
	text, err := private.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errAbsent
	}
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
		return nil, errors.New("no private key follows the certificate (it may be in a state that the configuration had)")
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
	err = private.Create(path, text)
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
	return a, private.Replace(path, text)
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
	a := &authority{cert, key}
	text, err := a.text()
	return a, text, err
}

// text returns the authority as its file has it.
func (a *authority) text() ([]byte, error) {
	secret, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: blockCert, Bytes: a.cert.Raw})
	return append(text, pem.EncodeToMemory(&pem.Block{Type: blockKey, Bytes: secret})...), nil
}
