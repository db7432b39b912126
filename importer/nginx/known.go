package nginx

import "strings"

// carried are the directives that are read somewhere here.
const carried = ` server location upstream limit_req_zone limit_req limit_req_status listen server_name ssl_certificate
ssl_certificate_key ssl_protocols ssl proxy_pass proxy_set_header proxy_hide_header add_header client_max_body_size
proxy_connect_timeout proxy_read_timeout proxy_send_timeout allow deny return rewrite set gzip gzip_types gzip_min_length
auth_basic auth_basic_user_file auth_request auth_jwt ssl_verify_client ssl_client_certificate satisfy include internal
limit_except try_files root alias index access_log proxy_ssl_trusted_certificate proxy_ssl_verify proxy_ssl_name
proxy_ssl_server_name proxy_ssl_verify_depth proxy_ssl_session_reuse fastcgi_pass uwsgi_pass scgi_pass grpc_pass
memcached_pass proxy_next_upstream_tries set_real_ip_from real_ip_header real_ip_recursive if `

// needless are directives whose work is done without them, or is nginx's own.
const needless = ` sendfile tcp_nopush tcp_nodelay keepalive_timeout keepalive_requests types_hash_max_size
types_hash_bucket_size server_names_hash_bucket_size server_names_hash_max_size variables_hash_max_size
variables_hash_bucket_size map_hash_bucket_size map_hash_max_size server_tokens default_type types charset log_not_found
log_format error_log log_subrequest proxy_http_version proxy_buffering proxy_buffers proxy_buffer_size
proxy_busy_buffers_size proxy_max_temp_file_size proxy_temp_file_write_size proxy_temp_path proxy_headers_hash_max_size
proxy_headers_hash_bucket_size proxy_request_buffering client_body_buffer_size client_header_buffer_size
large_client_header_buffers client_body_temp_path client_body_in_file_only gzip_comp_level gzip_vary gzip_proxied
gzip_buffers gzip_http_version gzip_disable gzip_static http2 http2_max_concurrent_streams ssl_prefer_server_ciphers
ssl_session_cache ssl_session_timeout ssl_session_tickets ssl_dhparam ssl_ecdh_curve ssl_stapling ssl_stapling_verify
ssl_trusted_certificate ssl_buffer_size ssl_ciphers ssl_conf_command ssl_early_data resolver resolver_timeout
reset_timedout_connection open_file_cache open_file_cache_valid open_file_cache_min_uses open_file_cache_errors aio
directio output_buffers postpone_output server_name_in_redirect port_in_redirect absolute_redirect merge_slashes
etag expires if_modified_since autoindex disable_symlinks max_ranges proxy_redirect proxy_pass_header
proxy_ssl_protocols proxy_ssl_ciphers proxy_socket_keepalive underscores_in_headers ignore_invalid_headers
uninitialized_variable_warn rewrite_log proxy_intercept_errors recursive_error_pages limit_req_log_level
limit_conn_log_level send_timeout lingering_close lingering_time lingering_timeout proxy_ignore_client_abort
fastcgi_param fastcgi_index fastcgi_split_path_info fastcgi_buffers fastcgi_buffer_size fastcgi_read_timeout
fastcgi_hide_header fastcgi_intercept_errors uwsgi_param scgi_param grpc_set_header `

func listed(list, name string) bool {
	return strings.Contains(strings.ReplaceAll(list, "\n", " "), " "+name+" ")
}

// reasons say of some directives why there is nothing here.
var reasons = map[string]string{
	"proxy_cache":               "this version has no cache",
	"proxy_cache_path":          "this version has no cache",
	"proxy_cache_valid":         "this version has no cache",
	"proxy_cache_key":           "this version has no cache",
	"proxy_cache_bypass":        "this version has no cache",
	"proxy_no_cache":            "this version has no cache",
	"map":                       "variables that depend on others have no counterpart",
	"geo":                       "variables that depend on the client's address have no counterpart: see addresses",
	"split_clients":             "write weights under target: {service:a: 90, service:b: 10}",
	"limit_conn":                "connections are limited by limits.connections-per-address of the listener",
	"limit_conn_zone":           "connections are limited by limits.connections-per-address of the listener",
	"error_page":                "answers of errors are the service's own, or the gateway's",
	"sub_filter":                "bodies are not changed",
	"mirror":                    "requests are not mirrored",
	"client_body_timeout":       "write limits.body-timeout at the listener",
	"client_header_timeout":     "write limits.header-timeout at the listener",
	"proxy_next_upstream":       "a request is tried again only where provably nothing was processed: retries",
	"proxy_cookie_path":         "cookies of services are not changed",
	"proxy_cookie_domain":       "cookies of services are not changed",
	"proxy_cookie_flags":        "cookies of services are not changed",
	"proxy_set_body":            "bodies are not changed",
	"proxy_method":              "methods are not changed",
	"proxy_bind":                "the system chooses the address",
	"stub_status":               "see the admin listener: /metrics and /v1/status",
	"valid_referers":            "a referer proves nothing",
	"secure_link":               "signed links are not checked",
	"proxy_ssl_certificate":     "write tls.client-certificate at the service",
	"proxy_ssl_certificate_key": "write tls.client-certificate at the service",
	"ssl_password_file":         "keys are read without a password",
	"proxy_limit_rate":          "the rate of answers is not limited",
	"limit_rate":                "the rate of answers is not limited",
	"limit_rate_after":          "the rate of answers is not limited",
}

// graves are the directives that may keep strangers out.
const graves = ` limit_conn secure_link secure_link_md5 valid_referers geo auth_delay modsecurity modsecurity_rules
modsecurity_rules_file naxsi_core SecRulesEnabled auth_jwt_key_file auth_jwt_require access_by_lua_block
access_by_lua_file access_by_lua js_access ssl_crl ssl_verify_depth `

// unknown notes a directive that is read nowhere; "" for others.
func (c *converter) unknown(d *Directive, blocks bool) string {
	if listed(carried, d.Name) || listed(needless, d.Name) {
		return ""
	}
	if d.Name == "map" && first(d.Args) == "$http_upgrade" {
		return "" // for WebSockets
	}
	text := "not carried over"
	if reason := reasons[d.Name]; reason != "" {
		text += ": " + reason
	}
	if listed(graves, d.Name) {
		return c.grave(d, text)
	}
	return c.note(d, text)
}
