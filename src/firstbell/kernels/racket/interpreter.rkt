#lang racket/base
;; Evaluates cells for pipe_kernel.py, one namespace for all of them. Values are shown as Racket prints them; pictures
;; (anything `convert` knows as SVG or PNG: picts, plots, bitmaps, functions of 2htdp/image) as pictures.
(require json racket/port racket/list file/convertible net/base64)

(file-stream-buffer-mode (current-output-port) 'line)
(define in (open-input-file (getenv "PIPE_KERNEL_IN")))
(define out (open-output-file (getenv "PIPE_KERNEL_OUT") #:exists 'append))

(define (answer message)
  (write-json message out)
  (newline out)
  (flush-output out))

(define ns (make-base-empty-namespace))
;; One and the same `convertible?` here and there.
(namespace-attach-module (current-namespace) 'file/convertible ns)
(parameterize ([current-namespace ns])
  (namespace-require 'racket))

(define (encoded bytes)
  (bytes->string/latin-1 (base64-encode bytes #"")))

(define (picture value)
  (and (convertible? value)
       (cond
         [(convert value 'png-bytes #f) => (lambda (png) (hasheq 'image/png (encoded png)))]
         [(convert value 'svg-bytes #f) => (lambda (svg) (hasheq 'image/svg+xml (bytes->string/utf-8 svg)))]
         [else #f])))

(define (show value)
  (unless (void? value)
    (define text (with-output-to-string (lambda () (print value))))
    (answer (hasheq 'data (hash-set (or (picture value) (hasheq)) 'text/plain text)))))

(define (all-forms code)
  (define port (open-input-string code))
  (port-count-lines! port)
  (parameterize ([read-accept-reader #t] [read-accept-lang #f])
    (let next ([forms '()])
      (define form (read-syntax "cell" port))
      (if (eof-object? form) (reverse forms) (next (cons form forms))))))

;; A leading `#lang racket` is what books begin with; the language is that already.
(define (without-lang code)
  (regexp-replace #px"^\\s*#lang\\s+racket(/base)?[ \t]*(?=\n|$)" code ""))

(define (failed e)
  (define-values (name message)
    (cond
      [(exn:break? e) (values "Interrupted" "interrupted")]
      [(exn? e) (values (symbol->string (vector-ref (struct->vector e) 0)) (exn-message e))]
      [else (values "raised" (format "~s" e))]))
  (define where
    (if (and (exn? e) (not (exn:break? e)))
        (for/list ([frame (continuation-mark-set->context (exn-continuation-marks e))]
                   #:when (and (cdr frame) (equal? (srcloc-source (cdr frame)) "cell")))
          (format "  in ~a, line ~a" (or (car frame) "the cell") (srcloc-line (cdr frame))))
        '()))
  (answer (hasheq 'error (list* (regexp-replace #rx"^struct:" name "") message (remove-duplicates where)))))

(define (run code)
  (with-handlers ([(lambda (_) #t) failed])
    (parameterize-break #t
      (parameterize ([current-namespace ns])
        (for ([form (all-forms (without-lang code))])
          ;; What follows an exit or an error is not evaluated, as at Racket's own prompt.
          (call-with-values
           (lambda () (call-with-continuation-prompt
                       (lambda () (eval (namespace-syntax-introduce form)))
                       (default-continuation-prompt-tag)
                       (lambda (thunk) (thunk))))
           (lambda values (for-each show values))))))))

;; An interrupt between two cells is nobody's.
(parameterize-break #f
  (let next ()
    (define message (read-json in))
    (unless (eof-object? message)
      (run (hash-ref message 'code))
      (flush-output (current-output-port))
      (flush-output (current-error-port))
      (answer (hasheq 'done #t))
      (next))))
