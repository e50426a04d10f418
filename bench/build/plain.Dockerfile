# What people write: packages of the distribution, requirements, then the rest.
FROM debian:trixie-slim
# apt-get clean is what Debian's own image does by itself, and one made from the mirror does not.
RUN apt-get update && apt-get install -y python3 python3-pip && apt-get clean && rm -rf /var/lib/apt/lists/*
WORKDIR /home/jovyan
COPY requirements.txt .
RUN pip install --break-system-packages --no-cache-dir -r requirements.txt
COPY . .
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--allow-root"]
