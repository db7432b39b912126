package recent

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"gatehouse/exchange"
)

// decoder reads what encode wrote, in the same order.
type decoder struct{ b []byte }

// hasID reports whether an encoded entry is that of a request.
func hasID(b []byte, id string) bool {
	n, size := binary.Uvarint(b)
	return size > 0 && n == uint64(len(id)) && string(b[size:size+int(n)]) == id
}

func decode(b []byte) *Entry {
	d := decoder{b}
	e := &Entry{}
	e.ID = d.text()
	e.Time = time.Unix(0, d.number()).UTC()
	e.Status = int(d.number())
	e.BytesIn, e.BytesOut = d.number(), d.number()
	e.Latency = Millis(d.number())
	e.Generation = uint64(d.number())
	e.Aborted = d.flag()
	e.Refused = d.refusal()
	e.API, e.Stage, e.Route = d.text(), d.text(), d.text()
	e.RouteAt = d.position()
	e.Upstream = d.upstream()
	e.Trail, e.Untold = d.trail()
	e.Method, e.Host, e.Path = d.text(), d.text(), d.text()
	e.Query = d.query()
	e.Protocol = d.text()
	e.Listener = d.text()
	e.TLS = d.flag()
	e.Client, e.Peer, e.Principal = d.address(), d.address(), d.text()
	e.UserAgent = d.text()
	e.TraceID = d.trace()
	e.Cut = d.flag()
	return e
}

func (d *decoder) number() int64 {
	n, size := binary.Varint(d.b)
	d.b = d.b[size:]
	return n
}

func (d *decoder) flag() bool {
	v := d.b[0] == 1
	d.b = d.b[1:]
	return v
}

func (d *decoder) text() string {
	n, size := binary.Uvarint(d.b)
	s := string(d.b[size : size+int(n)])
	d.b = d.b[size+int(n):]
	return s
}

func (d *decoder) address() string {
	n := int(d.b[0])
	a, ok := netip.AddrFromSlice(d.b[1 : 1+n])
	d.b = d.b[1+n:]
	if !ok {
		return ""
	}
	return a.String()
}

func (d *decoder) position() string {
	file, line := d.text(), d.number()
	if line == 0 {
		return ""
	}
	return file + ":" + strconv.FormatInt(line, 10)
}

func (d *decoder) query() string {
	n := int(binary.BigEndian.Uint16(d.b))
	s := string(d.b[2 : 2+n])
	d.b = d.b[2+n:]
	return s
}

func (d *decoder) trace() string {
	id := [16]byte(d.b[:16])
	d.b = d.b[16:]
	if id == [16]byte{} {
		return ""
	}
	return hex.EncodeToString(id[:])
}

func (d *decoder) upstream() *Upstream {
	if !d.flag() {
		return nil
	}
	u := &Upstream{Service: d.text(), Target: d.text(), Status: int(d.number()), Attempts: int(d.number())}
	u.Reused = d.flag()
	u.Queued, u.Init = Millis(d.number()), Millis(d.number())
	u.Connect, u.Latency = Millis(d.number()), Millis(d.number())
	u.Error = d.text()
	return u
}

func (d *decoder) refusal() *Refused {
	if !d.flag() {
		return nil
	}
	f := &Refused{}
	f.Filter, f.Rule, f.At = d.rule()
	f.Reason, f.Detail = d.text(), d.text()
	return f
}

func (d *decoder) rule() (filter, name, at string) {
	return d.text(), d.text(), d.position()
}

func (d *decoder) trail() (steps []Step, untold int) {
	steps = make([]Step, d.number())
	for i := range steps {
		s := &steps[i]
		s.Filter, s.Rule, s.At = d.rule()
		s.Decision = exchange.Decision(d.b[0]).String()
		d.b = d.b[1:]
		s.Detail = d.text()
	}
	return steps, int(d.number())
}

// newest sorts entries by time, the newest first, and returns at most n.
func newest(entries []*Entry, n int) []*Entry {
	slices.SortStableFunc(entries, func(a, b *Entry) int { return cmp.Compare(b.Time.UnixNano(), a.Time.UnixNano()) })
	return entries[:min(n, len(entries))]
}

// MarshalJSON writes milliseconds with three decimals.
func (m Millis) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(m)/1e6, 'f', 3, 64), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Millis) UnmarshalJSON(b []byte) error {
	var ms float64
	if err := json.Unmarshal(b, &ms); err != nil {
		return err
	}
	*m = Millis(ms * 1e6)
	return nil
}
