
# Firstbell: people's own packages go into their home, and are found before the image's.
local({
    own <- path.expand(Sys.getenv("R_LIBS_USER"))
    if (nzchar(own) && own != "NULL" && file.access(path.expand("~"), 2) == 0) {
        dir.create(own, recursive = TRUE, showWarnings = FALSE)
        .libPaths(c(own, .libPaths()))
    }
})
