/// An authority, a server and a client for tests alone; valid for a hundred years, trusted by nobody else.
enum Certificates {
    static let authority = """
        -----BEGIN CERTIFICATE-----
        MIIBijCCAS+gAwIBAgIUZx+hXhN6FA6cOSU2ToEAXTVitJAwCgYIKoZIzj0EAwIw
        GTEXMBUGA1UEAwwOdGVzdCBhdXRob3JpdHkwIBcNMjYxMTI0MDUwNTU3WhgPMjEy
        NjEwMzEwNTA1NTdaMBkxFzAVBgNVBAMMDnRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
        zj0CAQYIKoZIzj0DAQcDQgAEdQUDGzJuBvftwNeyxfNi7Ls9x36CwY00VZu6wsP3
        GrsQuHxZW1lCf1+gM7wWx3/UcJdnKPQ6a7ArHgjCbzXIt6NTMFEwHQYDVR0OBBYE
        FNiNO+/dJa3Rh1qRkzyUl47x2YpUMB8GA1UdIwQYMBaAFNiNO+/dJa3Rh1qRkzyU
        l47x2YpUMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAOIzmM6N
        /PDizjKS9pIw1rI5vke6Qarf7f28Y+UDoWddAiEA3T9dJjsVuoByAeJF3xJgs4Qi
        ffC9mFawEoMlnUNvuEs=
        -----END CERTIFICATE-----
        """
    static let server = """
        -----BEGIN CERTIFICATE-----
        MIIBijCCATCgAwIBAgIUHCmiQaXDRR2HhLJ/zC67RZtun2AwCgYIKoZIzj0EAwIw
        GTEXMBUGA1UEAwwOdGVzdCBhdXRob3JpdHkwIBcNMjYxMTI0MDUwNTU3WhgPMjEy
        NjEwMzEwNTA1NTdaMA8xDTALBgNVBAMMBGxhYmQwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAATjcxbwAdx1kAaEBjGEDd83dZTPJlrM2JHuLGwUaHjDFz+cL5HBVgHd
        wSSknyhj0+ClNbG2Q7Bem1fM+xxAwDgio14wXDAaBgNVHREEEzARhwR/AAABggls
        b2NhbGhvc3QwHQYDVR0OBBYEFAgA5sSH/yLZqZVZP8mzWTlSSSLzMB8GA1UdIwQY
        MBaAFNiNO+/dJa3Rh1qRkzyUl47x2YpUMAoGCCqGSM49BAMCA0gAMEUCIGw5pbFa
        dZohStb4J500mH+dJGZet/0N50Pn7moTVWj0AiEA4SzqIrz5Uhx86kDoawOjFBZt
        yhKk75k0Sawf9rYHoYY=
        -----END CERTIFICATE-----
        """
    static let serverKey = """
        -----BEGIN EC PRIVATE KEY-----
        MHcCAQEEIMnP7TM+VWwqYlQRP9616uFyiEEJG1ADcfMbBTCXm2nUoAoGCCqGSM49
        AwEHoUQDQgAE43MW8AHcdZAGhAYxhA3fN3WUzyZazNiR7ixsFGh4wxc/nC+RwVYB
        3cEkpJ8oY9PgpTWxtkOwXptXzPscQMA4Ig==
        -----END EC PRIVATE KEY-----
        """
    /// Common name `admin`, organizations `system:masters` and `teachers`.
    static let admin = """
        -----BEGIN CERTIFICATE-----
        MIIBUTCB+AIUHCmiQaXDRR2HhLJ/zC67RZtun2EwCgYIKoZIzj0EAwIwGTEXMBUG
        A1UEAwwOdGVzdCBhdXRob3JpdHkwIBcNMjYxMTI0MDUwNTU3WhgPMjEyNjEwMzEw
        NTA1NTdaMDwxFzAVBgNVBAoMDnN5c3RlbTptYXN0ZXJzMREwDwYDVQQKDAh0ZWFj
        aGVyczEOMAwGA1UEAwwFYWRtaW4wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARY
        351YN/HkGGm0tnJBfD0xQay77J+mvzyL8deOe8Qp1PoNpcoHl0QSCAD6wQfDhkdD
        A8FYf1JuChb2Yp3Ha1qkMAoGCCqGSM49BAMCA0gAMEUCIQC5QjJYzKOoA5isaRpj
        7uMnrjxicJ1+9yemJS1dyCsapQIgDCiu2tK2AqdBezEXd8984sXb+5l+HZSHr1Zc
        F4gzdDA=
        -----END CERTIFICATE-----
        """
    static let adminKey = """
        -----BEGIN EC PRIVATE KEY-----
        MHcCAQEEIPnJoPUsOOgezuDQeJczMDzI3hXtl+99+p4K6e9ID1wWoAoGCCqGSM49
        AwEHoUQDQgAEWN+dWDfx5BhptLZyQXw9MUGsu+yfpr88i/HXjnvEKdT6DaXKB5dE
        EggA+sEHw4ZHQwPBWH9SbgoW9mKdx2tapA==
        -----END EC PRIVATE KEY-----
        """
}
