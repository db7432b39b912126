package gatehouse

import (
	"strings"
	"time"

	"gatehouse/config"
	"gatehouse/iam"
)

// Simulate answers what policies would say about a request, from the
// configuration alone. The resource of an API brings the API's own policy with
// it.
func (cfg *Config) Simulate(q iam.Question) (iam.Answer, error) {
	d := &draft{config: cfg}
	d.compileIAM(&config.Report{})
	if rest, ok := strings.CutPrefix(q.Resource, cfg.apiARN("")); ok {
		api, _, _ := strings.Cut(rest, "/")
		q.Own = d.rights[api]
	}
	q.Time = time.Now()
	return d.users.Simulate(q)
}
