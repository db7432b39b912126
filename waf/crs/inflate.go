package crs

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

var (
	errCoding = errors.New("the content coding is none that is inflated")
	errBroken = errors.New("the body is not what its Content-Encoding says")
)

// maxWindow bounds the memory that a zstd body may ask for.
const maxWindow = 8 << 20

// codings returns the content codings of a body, without identity.
func codings(fields []string) (out []string) {
	for _, field := range fields {
		for name := range strings.SplitSeq(field, ",") {
			name = strings.ToLower(strings.TrimSpace(name))
			if name != "" && name != "identity" {
				out = append(out, name)
			}
		}
	}
	return out
}

// inflate returns the first limit bytes of a body in one content coding, and
// whether there are more. A body that is cut itself gives what it gives.
func inflate(data []byte, coding string, limit int, isCut bool) (plain []byte, more bool, err error) {
	in := bytes.NewReader(data)
	r, err := decoder(in, coding)
	if err != nil {
		return nil, false, err
	}
	if c, ok := r.(interface{ Close() }); ok {
		defer c.Close()
	}
	plain, err = io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case len(plain) > limit:
		return plain[:limit], true, nil
	case err != nil && !isCut:
		return nil, false, errBroken
	case err == nil && in.Len() > 0 && !isCut:
		return nil, false, errBroken // bytes behind the end: who reads them?
	}
	return plain, isCut, nil
}

func decoder(in *bytes.Reader, coding string) (io.Reader, error) {
	switch coding {
	case "gzip", "x-gzip":
		r, err := gzip.NewReader(in)
		if err != nil {
			return nil, errBroken
		}
		r.Multistream(false) // what follows is found by its being left over
		return r, nil
	case "deflate":
		r, err := zlib.NewReader(in)
		if err != nil {
			return nil, errBroken // raw deflate too: servers differ about it
		}
		return r, nil
	case "br":
		return brotli.NewReader(in), nil
	case "zstd":
		r, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxWindow), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, errBroken
		}
		return r, nil
	}
	return nil, errCoding
}
