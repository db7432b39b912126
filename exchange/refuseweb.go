package exchange

import (
	"encoding/base64"
	"encoding/binary"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// webKind returns the media type of a gRPC-Web call, and whether its bodies are
// in base64; "" for all others.
func webKind(r *http.Request) (kind string, text bool) {
	kind = r.Header.Get("Content-Type")
	rest, ok := strings.CutPrefix(kind, "application/grpc-web")
	if !ok {
		return "", false
	}
	rest, text = strings.CutPrefix(rest, "-text")
	if rest != "" && rest[0] != '+' && rest[0] != ';' {
		return "", false
	}
	return kind, text
}

// refuseWeb writes a refusal as the trailers of gRPC-Web, which stand in the
// body: pages read them there whatever CORS exposes.
func refuseWeb(w http.ResponseWriter, f Refusal, kind string, text bool) {
	body := WebTrailer(nil, http.Header{"Grpc-Status": {f.grpcStatus()}, "Grpc-Message": {GRPCMessage(f.Message)}})
	if text {
		body = base64.StdEncoding.AppendEncode(nil, body)
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body)
}

// WebTrailer appends the frame in which gRPC-Web carries trailers, in plain
// binary form (PROTOCOL-WEB.md of gRPC).
func WebTrailer(b []byte, trailer http.Header) []byte {
	from := len(b)
	b = append(b, 0x80, 0, 0, 0, 0)
	for _, name := range slices.Sorted(maps.Keys(trailer)) {
		for _, v := range trailer[name] {
			b = append(b, strings.ToLower(name)...)
			b = append(b, ':')
			b = append(b, strings.NewReplacer("\r", " ", "\n", " ").Replace(v)...)
			b = append(b, '\r', '\n')
		}
	}
	binary.BigEndian.PutUint32(b[from+1:], uint32(len(b)-from-5))
	return b
}
