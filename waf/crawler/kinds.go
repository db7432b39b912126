package crawler

import (
	"slices"
	"strings"
)

// Kind is a crawler, as its owner says how to know it.
type Kind struct {
	Name   string   // as labels and logs have it: "googlebot"
	Agents []string // what its User-Agent holds, in whatever case
	Hosts  []string // what the names of its addresses end in, from "." on: ".googlebot.com"
	First  string   // what these names begin with; "" for anything
}

// Known returns the crawlers whose owners publish how to know them by DNS. Of Google
// not by .googleusercontent.com, where everybody can rent a machine, and not by
// google-proxy-*.google.com, through which everybody's requests come.
func Known() []Kind {
	return []Kind{
		{Name: "googlebot", Agents: []string{"Googlebot", "Storebot-Google", "Google-InspectionTool", "GoogleOther", "Google-CloudVertexBot"}, Hosts: []string{".googlebot.com"}},
		{Name: "google-special", Agents: []string{"AdsBot-Google", "Mediapartners-Google", "APIs-Google", "Google-Safety"}, Hosts: []string{".google.com"}, First: "rate-limited-proxy-"},
		{Name: "bingbot", Agents: []string{"bingbot", "adidxbot", "BingPreview", "MicrosoftPreview"}, Hosts: []string{".search.msn.com"}},
		{Name: "applebot", Agents: []string{"Applebot"}, Hosts: []string{".applebot.apple.com"}},
		{Name: "yandexbot", Agents: []string{"YandexBot", "YandexImages", "YandexMobileBot", "YandexRenderResourcesBot", "YandexVideo", "YandexWebmaster"}, Hosts: []string{".yandex.ru", ".yandex.net", ".yandex.com"}},
		{Name: "baiduspider", Agents: []string{"Baiduspider"}, Hosts: []string{".baidu.com", ".baidu.jp"}},
		{Name: "yahoo-slurp", Agents: []string{"Yahoo! Slurp"}, Hosts: []string{".crawl.yahoo.net"}},
		{Name: "seznambot", Agents: []string{"SeznamBot"}, Hosts: []string{".seznam.cz"}},
		{Name: "petalbot", Agents: []string{"PetalBot"}, Hosts: []string{".petalsearch.com"}},
		{Name: "amazonbot", Agents: []string{"Amazonbot"}, Hosts: []string{".crawl.amazonbot.amazon"}},
		{Name: "pinterestbot", Agents: []string{"Pinterestbot"}, Hosts: []string{".pinterest.com", ".pinterestcrawler.com"}},
		{Name: "ccbot", Agents: []string{"CCBot"}, Hosts: []string{".crawl.commoncrawl.org"}},
		{Name: "ahrefsbot", Agents: []string{"AhrefsBot", "AhrefsSiteAudit"}, Hosts: []string{".ahrefs.com", ".ahrefs.net"}},
	}
}

// owns reports whether a host's name, in small letters and without a final dot, is
// one of the crawler's owner.
func (k *Kind) owns(host string) bool {
	return strings.HasPrefix(host, k.First) && slices.ContainsFunc(k.Hosts, func(end string) bool { return strings.HasSuffix(host, end) })
}

// id tells kinds apart by what verifies them.
func (k *Kind) id() string { return k.Name + " " + k.First + " " + strings.Join(k.Hosts, " ") }

// claims finds the crawler that a User-Agent claims to be.
type claims struct {
	first [256][]agent // by the agent's first letter, small and large
}

type agent struct {
	text string // in small letters
	kind *Kind
	id   string
}

func newClaims(kinds []Kind) *claims {
	c := &claims{}
	for i := range kinds {
		k := &kinds[i]
		for _, text := range k.Agents {
			a := agent{strings.ToLower(text), k, k.id()}
			small, large := a.text[0], strings.ToUpper(a.text[:1])[0]
			c.first[small] = append(c.first[small], a)
			if large != small {
				c.first[large] = append(c.first[large], a)
			}
		}
	}
	return c
}

// maxAgent is how much of a User-Agent is looked at.
const maxAgent = 1024

// of returns what a User-Agent claims to be, nil for no crawler that is known, and
// whether it claims to be one thing alone.
func (c *claims) of(ua string) (first *agent, one bool) {
	ua = ua[:min(len(ua), maxAgent)]
	one = true
	for i := 0; i < len(ua); i++ {
		a := c.at(ua[i:])
		if a == nil {
			continue
		}
		if first == nil {
			first = a
		}
		one = one && a.kind == first.kind
		i += len(a.text) - 1
	}
	return first, one
}

// at returns the agent that a text begins with.
func (c *claims) at(s string) *agent {
	list := c.first[s[0]]
	for i := range list {
		if hasPrefixFold(s, list[i].text) {
			return &list[i]
		}
	}
	return nil
}

// hasPrefixFold reports whether s begins with a text in small letters, in whatever
// case of ASCII.
func hasPrefixFold(s, small string) bool {
	if len(s) < len(small) {
		return false
	}
	for i := 0; i < len(small); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != small[i] {
			return false
		}
	}
	return true
}
