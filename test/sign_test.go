package test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// signer signs a message as the AWS SDK for Go does.
type signer struct {
	aws.Credentials
	query           bool // the presigned form
	at              time.Duration
	service, region string
	payload         string
}

func parseSigner(t *testing.T, form, text string) *signer {
	t.Helper()
	words := strings.Fields(text)
	if len(words) < 2 {
		t.Fatalf(":%s KEY SECRET", form)
	}
	s := &signer{query: form == "presign", service: "execute-api", region: "local"}
	s.AccessKeyID, s.SecretAccessKey = words[0], words[1]
	for _, word := range words[2:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "at":
			s.at, _ = time.ParseDuration(value)
		case "service":
			s.service = value
		case "region":
			s.region = value
		case "payload":
			s.payload = "UNSIGNED-PAYLOAD"
		case "token":
			s.SessionToken = value
		default:
			t.Fatalf(":%s knows no %s", form, word)
		}
	}
	return s
}

// signed returns the message, signed now where it is to be.
func (m message) signed(t *testing.T) message {
	t.Helper()
	s := m.signer
	if s == nil {
		return m
	}
	m.header = slices.Clone(m.header)
	r, err := http.NewRequest(m.method, "https://"+m.host+m.target, strings.NewReader(m.body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range m.header {
		r.Header.Add(h[0], h[1])
	}
	payload := s.payload
	if payload == "" {
		sum := sha256.Sum256([]byte(m.body))
		payload = hex.EncodeToString(sum[:])
	}
	if s.payload != "" {
		r.Header.Set("X-Amz-Content-Sha256", payload)
	}
	if s.query {
		query := r.URL.Query()
		query.Set("X-Amz-Expires", "60")
		r.URL.RawQuery = query.Encode()
		signed, header, err := v4.NewSigner().PresignHTTP(context.Background(), s.Credentials, r, payload, s.service, s.region, time.Now().Add(s.at))
		if err != nil {
			t.Fatal(err)
		}
		m.target = strings.TrimPrefix(signed, "https://"+m.host)
		for name := range header {
			if name != "Host" && r.Header.Get(name) != header.Get(name) {
				m.header = append(m.header, [2]string{name, header.Get(name)})
			}
		}
		return m
	}
	if err := v4.NewSigner().SignHTTP(context.Background(), s.Credentials, r, payload, s.service, s.region, time.Now().Add(s.at)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256"} {
		if value := r.Header.Get(name); value != "" {
			m.header = append(m.header, [2]string{name, value})
		}
	}
	return m
}
