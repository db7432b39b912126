package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/exchange"
	"gatehouse/iam"
)

// s3Store is the access key of AWS's documentation.
type s3Store struct{}

func (s3Store) AccessKey(id string) (string, string, bool) {
	return "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "ci", id == "AKIAIOSFODNN7EXAMPLE"
}

// TestDocumentedChunks is the example of AWS's documentation of signed chunks,
// with the signatures that stand there.
func TestDocumentedChunks(t *testing.T) {
	const seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
	body := "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + strings.Repeat("a", 65536) + "\r\n" +
		"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + strings.Repeat("a", 1024) + "\r\n" +
		"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
	r := httptest.NewRequest("PUT", "/examplebucket/chunkObject.txt", strings.NewReader(body))
	r.Host = "s3.amazonaws.com"
	r.ContentLength = 66824
	for name, value := range map[string]string{
		"Content-Encoding": "aws-chunked", "X-Amz-Content-Sha256": streamSigned, "X-Amz-Date": "20130524T000000Z",
		"X-Amz-Decoded-Content-Length": "66560", "X-Amz-Storage-Class": "REDUCED_REDUNDANCY",
		"Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=" + seed,
	} {
		r.Header.Set(name, value)
	}
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, nil)
	defer x.Finish()
	x.Start = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	if err := x.Path.Parse(r.RequestURI); err != nil {
		t.Fatal(err)
	}
	users := loadIAM(t)
	users.Users["ci"].AccessKeys = nil // the key is the store's
	v := NewKeeper(iam.NewSealer([32]byte{})).Verifier(iam.Compile(users, "123456789012", "us-east-1", s3Store{}), "s3", 1)
	if _, f := v.Verify(x, r); f != nil {
		t.Fatalf("%+v", f)
	}
	got, err := io.ReadAll(r.Body)
	if err != nil || string(got) != strings.Repeat("a", 66560) || r.ContentLength != 66560 || r.Header.Get("Content-Encoding") != "" {
		t.Errorf("%d bytes, %v, %v", len(got), err, r.Header)
	}
}

// chunked makes a body in chunks, by AWS's description of them.
type chunked struct {
	kind    string // x-amz-content-sha256
	chunks  []string
	trailer string // name of the checksum
	sum     string // "" for the right one
	length  int    // 0 for the right one
}

func (c *chunked) sign(t testing.TB, edit func(string) string) *http.Request {
	t.Helper()
	return c.signAt(t, time.Now(), edit)
}

func (c *chunked) signAt(t testing.TB, now time.Time, edit func(string) string) *http.Request {
	t.Helper()
	whole := strings.Join(c.chunks, "")
	length := len(whole)
	if c.length != 0 {
		length = c.length
	}
	r := request(t, "PUT", "https://api.shop.test/upload", "x", "Content-Encoding", "aws-chunked, gzip", "X-Amz-Content-Sha256", c.kind, "X-Amz-Decoded-Content-Length", fmt.Sprint(length))
	headers := "host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length"
	if c.trailer != "" {
		r.Header.Set("X-Amz-Trailer", c.trailer)
		headers += ";x-amz-trailer"
	}
	previous := signByHand(r, secret, now, headers, c.kind)
	stamp := now.UTC().Format(stampForm)
	scope := stamp[:8] + "/" + region + "/execute-api/aws4_request"
	next := func(kind, between, data string) string {
		previous = hex.EncodeToString(hmacOf(handKey(secret, scope), kind+"\n"+stamp+"\n"+scope+"\n"+previous+"\n"+between+hashOf(data)))
		return previous
	}
	signed := !strings.Contains(c.kind, "UNSIGNED")
	var b strings.Builder
	for _, chunk := range append(c.chunks, "") {
		fmt.Fprintf(&b, "%x", len(chunk))
		if signed {
			b.WriteString(";chunk-signature=" + next("AWS4-HMAC-SHA256-PAYLOAD", hashOf("")+"\n", chunk))
		}
		b.WriteString("\r\n" + chunk)
		if chunk != "" {
			b.WriteString("\r\n")
		}
	}
	if c.trailer != "" {
		sum := c.sum
		if sum == "" {
			sum = checksum(c.trailer, whole)
		}
		b.WriteString(c.trailer + ":" + sum + "\r\n")
		if signed {
			b.WriteString("x-amz-trailer-signature:" + next("AWS4-HMAC-SHA256-TRAILER", "", c.trailer+":"+sum+"\n") + "\r\n")
		}
	}
	b.WriteString("\r\n")
	r.Body = io.NopCloser(strings.NewReader(edit(b.String())))
	return r
}

func checksum(name, text string) string {
	var sum []byte
	switch name {
	case "x-amz-checksum-crc32":
		c := crc32.ChecksumIEEE([]byte(text))
		sum = []byte{byte(c >> 24), byte(c >> 16), byte(c >> 8), byte(c)}
	case "x-amz-checksum-sha256":
		s := sha256.Sum256([]byte(text))
		sum = s[:]
	}
	return base64.StdEncoding.EncodeToString(sum)
}

func same(s string) string { return s }

func replace(from, to string) func(string) string {
	return func(s string) string {
		if !strings.Contains(s, from) {
			panic("chunk_test: no " + from)
		}
		return strings.Replace(s, from, to, 1)
	}
}

func TestChunks(t *testing.T) {
	g := newGate(t)
	plain := []string{"first chunk", "second"}
	for _, tc := range []struct {
		name string
		of   chunked
		edit func(string) string
		want string // reason of the refusal, of the signature or of the body
	}{
		{"signed", chunked{kind: streamSigned, chunks: plain}, same, ""},
		{"signed, nothing", chunked{kind: streamSigned}, same, ""},
		{"signed, large", chunked{kind: streamSigned, chunks: []string{strings.Repeat("x", maxChunk), strings.Repeat("y", 9)}}, same, ""},
		{"signed, with a trailer", chunked{kind: streamTrailer, chunks: plain, trailer: "x-amz-checksum-crc32"}, same, ""},
		{"unsigned, with a trailer", chunked{kind: streamUnsigned, chunks: plain, trailer: "x-amz-checksum-sha256"}, same, ""},
		{"unsigned, by its other name", chunked{kind: unsignedPlainly, chunks: plain, trailer: "x-amz-checksum-crc32"}, same, ""},
		{"unsigned, one chunk of all", chunked{kind: streamUnsigned, chunks: []string{strings.Repeat("x", 3<<20)}, trailer: "x-amz-checksum-crc32"}, same, ""},

		{"a chunk changed", chunked{kind: streamSigned, chunks: plain}, replace("first", "fIrst"), "tampered-body"},
		{"the last chunk changed", chunked{kind: streamSigned, chunks: plain}, replace("second", "secone"), "tampered-body"},
		{"chunks changed about", chunked{kind: streamSigned, chunks: []string{"aaa", "bbb"}}, func(s string) string {
			parts := strings.SplitAfter(s, "\r\n")
			return parts[2] + parts[3] + parts[0] + parts[1] + strings.Join(parts[4:], "")
		}, "tampered-body"},
		{"a chunk left out", chunked{kind: streamSigned, chunks: []string{"aaa", "bbb"}}, func(s string) string {
			parts := strings.SplitAfter(s, "\r\n")
			return strings.Join(parts[2:], "")
		}, "tampered-body"},
		{"cut off", chunked{kind: streamSigned, chunks: plain}, func(s string) string { return s[:len(s)/2] }, "body-cut"},
		{"cut off between", chunked{kind: streamSigned, chunks: plain}, func(s string) string { return s[:strings.Index(s, "6;chunk")] }, "body-cut"},
		{"the end left out", chunked{kind: streamSigned, chunks: plain}, func(s string) string { return s[:strings.Index(s, "0;chunk")] }, "body-cut"},
		{"the end forged", chunked{kind: streamSigned, chunks: plain}, func(s string) string {
			return s[:strings.Index(s, "0;chunk")] + "0;chunk-signature=" + emptyHash + "\r\n\r\n"
		}, "tampered-body"},
		{"the end early", chunked{kind: streamSigned, chunks: plain}, func(s string) string {
			return s[:strings.Index(s, "6;chunk")] + "0;chunk-signature=" + emptyHash + "\r\n\r\n"
		}, "body-broken"},
		{"more after the end", chunked{kind: streamSigned, chunks: plain}, func(s string) string { return s + "x" }, "body-broken"},
		{"a chunk too large", chunked{kind: streamSigned, chunks: []string{strings.Repeat("x", maxChunk+1)}}, same, "chunk-too-large"},
		{"a chunk without its signature", chunked{kind: streamSigned, chunks: plain}, func(s string) string {
			return s[:1] + s[strings.Index(s, "\r\n"):]
		}, "body-broken"},
		{"a length that is none", chunked{kind: streamSigned, chunks: plain}, replace("b;", "zz;"), "body-broken"},
		{"a length below nothing", chunked{kind: streamSigned, chunks: plain}, replace("b;", "-b;"), "body-broken"},
		{"a length without end", chunked{kind: streamSigned, chunks: plain}, func(s string) string { return strings.Repeat("0", 5000) + s }, "body-broken"},
		{"a chunk longer than its length", chunked{kind: streamUnsigned, chunks: plain, trailer: "x-amz-checksum-crc32"}, replace("first chunk", "first chunk!"), "body-broken"},
		{"lines of another system", chunked{kind: streamSigned, chunks: plain}, replace("\r\n", "\n"), "body-broken"},
		{"longer than it says", chunked{kind: streamSigned, chunks: plain, length: 5}, same, "body-broken"},
		{"shorter than it says", chunked{kind: streamSigned, chunks: plain, length: 500}, same, "body-broken"},
		{"less than nothing", chunked{kind: streamSigned, chunks: plain, length: -1}, same, "malformed"},
		{"a checksum that is wrong", chunked{kind: streamUnsigned, chunks: plain, trailer: "x-amz-checksum-crc32", sum: "AAAAAA=="}, same, "tampered-body"},
		{"an unsigned chunk changed", chunked{kind: streamUnsigned, chunks: plain, trailer: "x-amz-checksum-crc32"}, replace("first", "fIrst"), "tampered-body"},
		{"a trailer changed", chunked{kind: streamTrailer, chunks: plain, trailer: "x-amz-checksum-crc32"}, replace("x-amz-checksum-crc32:", "x-amz-checksum-crc32:A"), "tampered-body"},
		{"a trailer's signature away", chunked{kind: streamTrailer, chunks: plain, trailer: "x-amz-checksum-crc32"}, func(s string) string {
			return s[:strings.Index(s, "x-amz-trailer-signature")] + "\r\n"
		}, "tampered-body"},
		{"no trailer", chunked{kind: streamUnsigned, chunks: plain, trailer: "x-amz-checksum-crc32"}, func(s string) string {
			return s[:strings.Index(s, "x-amz-checksum")] + "\r\n"
		}, "tampered-body"},
		{"a trailer more", chunked{kind: streamUnsigned, chunks: plain, trailer: "x-amz-checksum-crc32"}, replace("x-amz-checksum-crc32:", "x-evil:1\r\nx-amz-checksum-crc32:"), "body-broken"},
		{"a checksum that nobody knows", chunked{kind: streamUnsigned, chunks: plain, trailer: "x-amz-checksum-md5"}, same, "malformed"},
		{"no checksum", chunked{kind: streamUnsigned, chunks: plain}, same, "malformed"},
		{"signed chunks called unsigned", chunked{kind: streamSigned, chunks: plain}, func(s string) string { return strings.ReplaceAll(s, ";chunk-signature=", ";x=") }, "body-broken"},
	} {
		_, f, body, err := g.verify(t, tc.of.sign(t, tc.edit))
		got := reason(f)
		if err != nil {
			got = exchange.BodyRefusal(nil, err).Reason
		}
		if got != tc.want || tc.want == "" && body != strings.Join(tc.of.chunks, "") {
			t.Errorf("%s: %q (%+v, %v), want %q; %d bytes", tc.name, got, f, err, tc.want, len(body))
		}
		if !strings.HasPrefix(strings.Join(tc.of.chunks, ""), body) && !strings.Contains(tc.of.kind, "UNSIGNED") {
			t.Errorf("%s: bytes were handed out that nobody signed: %q", tc.name, body)
		}
	}
}

// What is held of signed chunks counts towards the gateway's budget.
func TestChunkBudget(t *testing.T) {
	g := newGate(t)
	c := chunked{kind: streamSigned, chunks: []string{strings.Repeat("x", 64<<10)}}
	in := arrive(t, c.sign(t, same))
	budget := exchange.NewBudget(32 << 10)
	x, in := exchange.Begin(httptest.NewRecorder(), in, &exchange.Conn{TLS: true}, budget)
	if err := x.Path.Parse(in.RequestURI); err != nil {
		t.Fatal(err)
	}
	if _, f := g.verifier.Verify(x, in); f != nil {
		t.Fatal(f)
	}
	if _, err := io.ReadAll(in.Body); !errors.Is(err, exchange.ErrBodyBudget) {
		t.Errorf("%v", err)
	}
	x.Finish()
	if budget.Used() != 0 {
		t.Errorf("%d bytes are kept", budget.Used())
	}
}

// The checksum of NVMe: its catalogue's check value.
func TestCRC64NVMe(t *testing.T) {
	_, sum, err := checksumOf([]string{"x-amz-checksum-crc64nvme"})
	if err != nil {
		t.Fatal(err)
	}
	sum.Write([]byte("123456789"))
	if got := sum.(interface{ Sum64() uint64 }).Sum64(); got != 0xae8b14860a799888 {
		t.Errorf("%x", got)
	}
}
