package compress

import (
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	kgzip "github.com/klauspost/compress/gzip"
	kzstd "github.com/klauspost/compress/zstd"
)

// encoder is what the libraries' writers have in common. None of them starts a
// goroutine.
type encoder interface {
	io.Writer
	Flush() error
	Close() error
	Reset(io.Writer)
}

// recipe is one coding at one level.
type recipe struct {
	cost int64 // memory of one encoder at most, held by a test against bodies of several kinds
	make func() encoder
}

// recipes are chosen by what they cost beside what they save on JSON and HTML:
// windows are far below the libraries' own, since answers seldom repeat what
// they said 100 KiB before, and each encoder is one client's to hold.
var recipes = map[Level][codings]recipe{
	Fast: {
		gzip: {900 << 10, newGzip(1)},
		br:   {900 << 10, newBrotli(2, 16)},
		zstd: {900 << 10, newZstd(kzstd.SpeedFastest, 64<<10)},
	},
	Default: {
		gzip: {1200 << 10, newGzip(5)},
		br:   {2000 << 10, newBrotli(4, 16)},
		zstd: {2400 << 10, newZstd(kzstd.SpeedDefault, 128<<10)},
	},
	Best: {
		gzip: {1500 << 10, newGzip(9)},
		br:   {5500 << 10, newBrotli(6, 18)},
		zstd: {5500 << 10, newZstd(kzstd.SpeedBetterCompression, 256<<10)},
	},
}

func newGzip(level int) func() encoder {
	return func() encoder {
		w, err := kgzip.NewWriterLevel(nil, level)
		return must(w, err)
	}
}

func newBrotli(quality, window int) func() encoder {
	return func() encoder {
		return brotli.NewWriterOptions(nil, brotli.WriterOptions{Quality: quality, LGWin: window})
	}
}

// newZstd makes encoders with windows far below the 8 MiB that RFC 9659 allows
// to a content coding. The checksum is left out: TLS has its own.
func newZstd(level kzstd.EncoderLevel, window int) func() encoder {
	return func() encoder {
		w, err := kzstd.NewWriter(nil,
			kzstd.WithEncoderLevel(level), kzstd.WithWindowSize(window), kzstd.WithLowerEncoderMem(true),
			kzstd.WithEncoderConcurrency(1), kzstd.WithZeroFrames(true), kzstd.WithEncoderCRC(false))
		return must(w, err)
	}
}

// must is for options that are constants: the first test shows a wrong one.
func must[T encoder](w T, err error) encoder {
	if err != nil {
		panic("compress: " + err.Error())
	}
	return w
}

// machine is an encoder with where it writes to. Machines are used again.
type machine struct {
	encoder
	out sink
}

// sink counts what passes.
type sink struct {
	next io.Writer
	n    int64
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.next.Write(p)
	s.n += int64(n)
	return n, err
}

// shop makes the machines of one coding at one level, and keeps them between
// answers.
type shop struct {
	recipe
	pool *sync.Pool
}

// shops are kept by the process, whatever is reloaded.
var shops = openShops()

func openShops() map[Level][codings]shop {
	all := make(map[Level][codings]shop)
	for level, list := range recipes {
		var row [codings]shop
		for c, r := range list {
			row[c] = shop{r, new(sync.Pool)}
		}
		all[level] = row
	}
	return all
}

// open returns a machine that writes to next.
func (s shop) open(next io.Writer) *machine {
	m, ok := s.pool.Get().(*machine)
	if !ok {
		m = &machine{encoder: s.make()}
	}
	m.out = sink{next: next}
	m.Reset(&m.out)
	return m
}

// close takes a machine back, whatever it was doing.
func (s shop) close(m *machine) {
	m.out = sink{}
	s.pool.Put(m)
}
