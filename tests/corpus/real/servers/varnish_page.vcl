vcl 4.1;

backend app { .path = "@FOLDER@/app"; }

sub vcl_recv {
    # The page is slow, so it is cached for everybody. Varnish by itself caches nothing for who sends a cookie.
    if (req.url ~ "^/account/" && req.method == "GET") {
        return (hash);
    }
    set req.url = regsub(req.url, "^/members/", "/account/");
}

sub vcl_backend_response {
    set beresp.ttl = 60s;
}
