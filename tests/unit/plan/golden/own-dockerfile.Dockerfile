FROM example/jupyter:1
RUN make
USER 1000
CMD ["run"]

# Added by Firstbell: the project's files, from which new homes are filled.
COPY . /opt/firstbell/project/
