package field

import (
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"gatehouse/exchange"
)

// maxCodings is how many content codings one upon the other are undone.
const maxCodings = 2

// inflate undoes the content codings of a body's beginning, as far as it goes: up
// to limit bytes, and one for saying that there are more. A coding that is not
// known, or a body that is not coded as it says, is refused by 415: the service
// may read what was not seen.
func inflate(body string, header []string, limit int, cut bool) (string, bool, error) {
	codings, err := codingsOf(header)
	if err != nil {
		return "", false, err
	}
	for i := len(codings) - 1; i >= 0; i-- {
		src, err := decoder(codings[i], strings.NewReader(body))
		if err != nil {
			return "", false, broken(codings[i])
		}
		var b strings.Builder
		n, err := io.Copy(&b, io.LimitReader(src, int64(limit)+1))
		_ = src.Close()
		body = b.String()
		switch {
		case n > int64(limit):
			cut = true
		case err == nil:
		case cut && errors.Is(err, io.ErrUnexpectedEOF):
		default:
			return "", false, broken(codings[i])
		}
	}
	return body, cut, nil
}

func codingsOf(header []string) (out []string, err error) {
	for _, line := range header {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.ToLower(strings.TrimSpace(name))
			switch name {
			case "", "identity":
			case "gzip", "x-gzip", "deflate", "br", "zstd":
				out = append(out, name)
			default:
				return nil, refused("coding", "the body's content coding is not one that can be inspected")
			}
		}
	}
	if len(out) > maxCodings {
		return nil, refused("coding", "the body is coded more often than is inspected")
	}
	return out, nil
}

// maxWindow is how far back a zstd body may point.
const maxWindow = 8 << 20

func decoder(coding string, src io.Reader) (io.ReadCloser, error) {
	switch coding {
	case "deflate":
		return zlib.NewReader(src)
	case "br":
		return io.NopCloser(brotli.NewReader(src)), nil
	case "zstd":
		d, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return gzip.NewReader(src)
}

func broken(coding string) error {
	return refused("coding-broken", "the body is not coded as "+coding)
}

func refused(reason, detail string) error {
	return &exchange.BodyFault{Status: http.StatusUnsupportedMediaType, Reason: reason, Detail: detail}
}
