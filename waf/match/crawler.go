package match

import (
	"net/netip"
	"slices"

	"gatehouse/config"
	"gatehouse/waf/crawler"
)

// Crawlers tells who is the crawler that a request claims to be.
type Crawlers interface {
	// Check says what is known of the claim that a User-Agent makes, and which
	// crawler it names.
	Check(ua string, a netip.Addr) (crawler.Verdict, string)
	// Claims returns the crawler that a User-Agent names; "" for none.
	Claims(ua string) string
}

// Crawler matches requests that claim to be a crawler.
type Crawler struct {
	State string   // claimed, verified or impostor
	Names []string // of these crawlers alone; nil for all that are known
}

// crawlerStates are what a statement may ask for.
var crawlerStates = [...]string{"claimed", "verified", "impostor"}

type crawling struct {
	claimed bool
	want    crawler.Verdict
	names   []string
}

func (n *Crawler) compile(*Compiler, config.Pos) Matcher {
	m := &crawling{claimed: n.State == "claimed", want: crawler.Impostor, names: n.Names}
	if n.State == "verified" {
		m.want = crawler.Verified
	}
	return m
}

// The labels of crawlers. What is claimed alone has none: it is anybody's to claim.
const (
	crawlerLabel = "gatehouse:crawler:"
	botLabel     = "awswaf:managed:aws:bot-control:bot:"
)

// Match also labels a request whose claim was found out about, as AWS WAF's bot
// control does.
func (m *crawling) Match(r *Request) bool {
	if r.Crawlers == nil {
		return false
	}
	ua := r.R.UserAgent()
	name := r.Crawlers.Claims(ua)
	if name == "" || !m.means(name) {
		return false
	}
	r.Found = Finding{What: "crawler", Text: name}
	return m.claimed || m.check(r, ua, name) == m.want
}

// check finds out about a claim. That may take a while, in which nothing is done.
func (m *crawling) check(r *Request, ua, name string) crawler.Verdict {
	if r.Clock != nil {
		r.Clock.Pause()
		defer r.Clock.Resume()
	}
	verdict, _ := r.Crawlers.Check(ua, r.X.Client)
	if verdict == crawler.Verified || verdict == crawler.Impostor {
		r.label(crawlerLabel + verdict.String())
		r.label(crawlerLabel + "name:" + name)
	}
	if verdict == crawler.Verified {
		r.label(botLabel + "verified")
	}
	return verdict
}

func (m *crawling) means(name string) bool { return m.names == nil || slices.Contains(m.names, name) }

// label sets a label once.
func (r *Request) label(l string) {
	if !slices.Contains(r.X.Labels, l) {
		r.X.Labels = append(r.X.Labels, l)
	}
}

// crawlerSection is the long form.
type crawlerSection struct {
	config.At
	Is    string   `yaml:"is,required" enum:"claimed|verified|impostor" doc:"what is known of the claim"`
	Names []string `yaml:"names" single:"true" doc:"these crawlers alone: googlebot, bingbot"`
}

func readCrawler(n *config.Node) Node {
	var s crawlerSection
	if n.Kind() == config.Map {
		n.Decode(&s)
	} else if s.Is, _ = n.Text(); !slices.Contains(crawlerStates[:], s.Is) {
		n.Unknown("state of crawlers", s.Is, crawlerStates[:])
	}
	return &Crawler{State: s.Is, Names: s.Names}
}

func crawlerSchema() []*config.Schema {
	state := &config.Schema{Type: "string"}
	for _, s := range crawlerStates {
		state.Enum = append(state.Enum, s)
	}
	return []*config.Schema{state, config.SchemaOf(crawlerSection{})}
}
