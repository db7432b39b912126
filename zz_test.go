package gatehouse

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	S := "/root/go/pkg/mod/github.com/pb33f/libopenapi@v0.42.4/test_specs/"
	for _, f := range []string{"/root/go/pkg/mod/github.com/moby/moby/api@v1.56.1/swagger.yaml", S + "asana.yaml", S + "stripe.yaml", S + "k8s.json", S + "docusignv3.1.json", S + "xsoar.json", S + "digitalocean.yaml", "/tmp/npm/package/generated/api.github.com.json", "/tmp/npm/package/dist/openapi.json", S + "burgershop.openapi.yaml", S + "petstorev2.json", S + "petstorev3.json"} {
		dir := t.TempDir()
		b, _ := os.ReadFile(f)
		name := "def" + filepath.Ext(f)
		os.WriteFile(filepath.Join(dir, name), b, 0600)
		c := filepath.Join(dir, "g.yaml")
		os.WriteFile(c, []byte("listen: [{address: \"127.0.0.1:0\"}]\napis:\n  a:\n    authorize: none\n    validate: true\n    definition: {file: "+name+", target: \"service:a\", security: {personalAccessToken: none, oauth2: none, basicAuth: none, bearerAuth: none, BearerToken: none, api_key: none, csrf_token: none, x-xsrf-token: none, bearer_auth: none, Auth: none, KeyAuth: none, OAuthScheme: none, petstore_auth: none}}\nservices: {a: {targets: [\"127.0.0.1:1\"]}}\n"), 0600)
		runtime.GC()
		var m0, m1, m2 runtime.MemStats
		runtime.ReadMemStats(&m0)
		s := time.Now()
		cfg, err := Load(c)
		d := time.Since(s)
		runtime.ReadMemStats(&m1)
		debug.FreeOSMemory()
		runtime.ReadMemStats(&m2)
		n := 0
		if err != nil {
			e := err.Error()
			l := strings.Split(e, "\n")
			if len(l) > 24 {
				l = l[:24]
			}
			fmt.Println(strings.Join(l, "\n"))
		}
		n = len(cfg.Routes())
		fmt.Println("==", filepath.Base(f), len(b)>>10, "KB", d, "routes", n, "alloc", (m1.TotalAlloc-m0.TotalAlloc)>>20, "MB retained", (int64(m2.HeapAlloc)-int64(m0.HeapAlloc))>>10, "KB", "sys", m1.HeapSys>>20)
		runtime.KeepAlive(cfg)
	}
}
