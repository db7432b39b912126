package test

import (
	"bytes"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// opened begins streams of GET, or POST, for a path.
func opened(f *frames, method, path string, ends bool) error {
	f.headers([][2]string{{":method", method}, {":scheme", "https"}, {":authority", "localhost"}, {":path", path}}, ends)
	f.stream += 2
	return f.failed
}

// once does something at the beginning of a connection.
func once(f *frames, do func() error) error {
	if f.begun {
		return nil
	}
	f.begun = true
	return do()
}

func attacksHTTP2() map[string]attack {
	large := bytes.Repeat([]byte("x"), 4000)
	settings := func(f *frames, s ...http2.Setting) error {
		return once(f, func() error { return f.WriteSettings(s...) })
	}
	return map[string]attack{
		"silence": {conns: 40, most: 2048, http2: func(f *frames) error {
			time.Sleep(pace)
			return settings(f)
		}},
		"slow heads": {conns: 40, most: 2048, http2: func(f *frames) error {
			time.Sleep(pace)
			if err := settings(f); err != nil || f.stream > 1 {
				return err
			}
			f.stream += 2
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}})
		}},
		"slow bodies": {conns: 20, most: 2048, stays: true, http2: func(f *frames) error {
			time.Sleep(pace)
			if f.stream == 1 {
				_ = settings(f)
				return opened(f, "POST", "/", false)
			}
			return f.WriteData(1, false, []byte("x"))
		}},
		"rapid reset": {conns: 4, most: 8192, http2: func(f *frames) error {
			_ = settings(f)
			_ = opened(f, "GET", "/late", true)
			return f.WriteRSTStream(f.stream-2, http2.ErrCodeCancel)
		}},
		"resets that the gateway is made to send": {conns: 4, most: 8192, stays: true, http2: func(f *frames) error {
			_ = settings(f)
			_ = opened(f, "GET", "/late", true)
			return f.WriteWindowUpdate(f.stream-2, 0)
		}},
		"endless headers": {conns: 4, most: 4096, http2: func(f *frames) error {
			_ = settings(f)
			f.block.Reset()
			_ = f.hpack.WriteField(hpack.HeaderField{Name: "x", Value: string(large), Sensitive: true})
			if f.stream == 1 {
				f.stream += 2
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block.Bytes()})
			}
			return f.WriteContinuation(1, false, f.block.Bytes())
		}},
		"empty continuations": {conns: 4, most: 4096, http2: func(f *frames) error {
			_ = settings(f)
			if f.stream == 1 {
				f.stream += 2
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}})
			}
			return f.WriteContinuation(1, false, nil)
		}},
		"floods of SETTINGS":   {conns: 4, most: 4096, http2: func(f *frames) error { return f.WriteSettings() }},
		"floods of PING":       {conns: 4, most: 4096, http2: func(f *frames) error { _ = settings(f); return f.WritePing(false, [8]byte{}) }},
		"floods of PRIORITY":   {conns: 4, most: 4096, stays: true, http2: func(f *frames) error { _ = settings(f); return f.WritePriority(f.next(), http2.PriorityParam{}) }},
		"a bomb of HPACK":      {conns: 4, most: 16384, stays: true, http2: bomb}, // a busy machine may have as many heads at once as there are streams
		"requests all at once": {conns: 2, most: 32768, stays: true, http2: func(f *frames) error { _ = settings(f); return opened(f, "GET", "/late", true) }},
		"empty DATA": {conns: 4, most: 4096, http2: func(f *frames) error {
			if f.stream == 1 {
				_ = settings(f)
				return opened(f, "POST", "/", false)
			}
			return f.WriteData(1, false, nil)
		}},
		"DATA of padding": {conns: 4, most: 4096, http2: func(f *frames) error {
			if f.stream == 1 {
				_ = settings(f)
				return opened(f, "POST", "/", false)
			}
			return f.WriteDataPadded(1, false, nil, make([]byte, 255))
		}},
		"empty fields": {conns: 4, most: 4096, http2: func(f *frames) error {
			_ = settings(f)
			f.stream += 2
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream - 2, EndHeaders: true, EndStream: true})
		}},
		"windows that stay shut": {conns: 2, most: 16384, http2: func(f *frames) error {
			_ = settings(f, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			if f.stream < 200 {
				return opened(f, "GET", "/endless", true)
			}
			time.Sleep(pace)
			return nil
		}},
		"windows of one byte": {conns: 2, most: 8192, stays: true, http2: func(f *frames) error {
			_ = settings(f, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			if f.stream < 100 {
				return opened(f, "GET", "/endless", true)
			}
			time.Sleep(time.Millisecond)
			return f.WriteWindowUpdate(1+2*uint32(time.Now().UnixNano()%50), 1)
		}},
	}
}

// bomb sends a field once, and refers to it by a byte a hundred thousand times.
func bomb(f *frames) error {
	_ = once(f, func() error { return f.WriteSettings() })
	f.block.Reset()
	_ = f.hpack.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("x", 4000)})
	f.block.Write(bytes.Repeat([]byte{0xbe}, 12000))
	f.stream += 2
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.stream - 2, BlockFragment: f.block.Bytes(), EndHeaders: true, EndStream: true})
}
