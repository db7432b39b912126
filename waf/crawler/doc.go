// Package crawler tells the crawlers of search engines from those who take on their
// names: a request that claims to be one by its User-Agent is believed where the name
// of its address, by reverse DNS, is one of the crawler's owner, and where that name
// has this address (forward-confirmed reverse DNS).
package crawler
