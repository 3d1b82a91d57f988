module tidemill.example/publish

go 1.19
