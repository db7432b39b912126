package test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"
)

// inChunks makes an upload in signed chunks of a message, by AWS's description
// of them: the AWS SDKs make those for S3 alone. Edit may change what is sent.
func (m message) inChunks(t *testing.T, chunks []string, edit func(string) string) message {
	t.Helper()
	const payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])
	}
	mac := func(key []byte, s string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(s))
		return h.Sum(nil)
	}
	stamp := time.Now().UTC().Format("20060102T150405Z")
	scope := stamp[:8] + "/eu-central-1/execute-api/aws4_request"
	key := []byte("AWS4" + ciSecret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	length := fmt.Sprint(len(strings.Join(chunks, "")))
	canonical := fmt.Sprintf("%s\n%s\n\nhost:%s\nx-amz-content-sha256:%s\nx-amz-date:%s\nx-amz-decoded-content-length:%s\n\nhost;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length\n%s",
		m.method, m.target, m.host, payload, stamp, length, payload)
	previous := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hash(canonical)))
	m.header = append(m.header, [][2]string{
		{"X-Amz-Date", stamp}, {"X-Amz-Content-Sha256", payload}, {"X-Amz-Decoded-Content-Length", length}, {"Content-Encoding", "aws-chunked"},
		{"Authorization", "AWS4-HMAC-SHA256 Credential=AKIABOSS000000000000/" + scope + ", SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length, Signature=" + previous},
	}...)
	var b strings.Builder
	for _, chunk := range append(chunks, "") {
		previous = hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256-PAYLOAD\n"+stamp+"\n"+scope+"\n"+previous+"\n"+hash("")+"\n"+hash(chunk)))
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n%s\r\n", len(chunk), previous, chunk)
	}
	m.body = edit(b.String())
	return m
}

// A body in signed chunks reaches the service plain; one that was changed on its
// way never passes for a whole.
func TestSignedChunks(t *testing.T) {
	t.Parallel()
	r, _ := startIAM(t)
	large := strings.Repeat("x", 200<<10)
	for _, protocol := range protocols {
		m := message{method: "POST", target: "/orders", host: "localhost"}
		got := protocol.send(t, r, m.inChunks(t, []string{"hello ", "world"}, func(s string) string { return s }))
		if got.status != 200 || !strings.Contains(got.body, `"body":"hello world"`) || strings.Contains(got.body, "aws-chunked") || !strings.Contains(got.body, `"Content-Length":["11"]`) && strings.Contains(got.body, "Content-Length") {
			t.Errorf("%s: %d %s", protocol.name, got.status, got.body)
		}
		for name, edit := range map[string]func(string) string{
			"the first chunk": func(s string) string { return strings.Replace(s, "x", "y", 1) },
			"the last chunk":  func(s string) string { return strings.Replace(s, "the end", "the End", 1) },
			"the end cut off": func(s string) string { return s[:strings.LastIndex(s, "0;chunk")] },
		} {
			got := protocol.send(t, r, m.inChunks(t, []string{large, large, "the end"}, edit))
			if got.err == nil && got.status == 200 {
				t.Errorf("%s, %s: %d %.200s", protocol.name, name, got.status, got.body)
			}
			if got.err == nil && name != "the end cut off" && (got.status != 403 || got.header.Get("X-Amzn-Errortype") != "InvalidSignatureException") {
				t.Errorf("%s, %s: %d %v %.200s", protocol.name, name, got.status, got.header, got.body)
			}
		}
	}
}
